//! The places of builds: the database itself, and files beside it.

use std::collections::hash_map::Entry;
use std::io;
use std::path::{Path, PathBuf};

use jitney_sourcing::projection::{Build, BuildId, BuildState, NewBuild, ReadModel};
use jitney_sourcing::{Error, ErrorKind};
use sqlx::SqliteConnection;

use super::transaction::SqliteTransaction;
use super::{SqliteReadModel, read, write};
use crate::projection::number;
use crate::sqlite::SqliteStore;

const FILE: &str = "SELECT file FROM pragma_database_list WHERE name = 'main'";

const NEXT: &str = "SELECT build FROM jitney_projections WHERE projection = ?1 AND state = 1";

const REMOVE_NEXT: &str = "DELETE FROM jitney_projections WHERE projection = ?1 AND state = 1";

const ADD: &str = "INSERT INTO jitney_projections (projection, state, version, live_from, paused) \
                   VALUES (?1, ?2, ?3, ?4, EXISTS (SELECT 1 FROM jitney_projections \
                   WHERE projection = ?1 AND state = 0 AND paused)) \
                   ON CONFLICT (projection, state) DO NOTHING RETURNING build, paused";

/// In the file of the build, under the number that it has in the database.
const ADD_THERE: &str = "INSERT INTO jitney_projections (build, projection, state, version, live_from, paused) \
                         VALUES (?5, ?1, ?2, ?3, ?4, ?6)";

const ADD_SHARD: &str = "INSERT INTO jitney_projection_shards (build, shard) VALUES (?1, ?2)";

/// Records a build: a live one in the database, a next one in both files.
pub(super) async fn begin(
    model: &SqliteReadModel,
    new: &NewBuild,
) -> Result<Option<SqliteTransaction>, Error> {
    let (projection, store) = (&*new.projection, &model.store);
    let doing = format!("making projection `{projection}`");
    let id = |number: i64| BuildId {
        projection: projection.to_owned(),
        number: number.unsigned_abs(),
        state: new.state,
    };
    if new.state == BuildState::Live {
        let mut transaction = store.begin().await?;
        let failed = |error| store.failed(&doing, error);
        let Some((build, _)) = add(&mut transaction, new).await.map_err(failed)? else { return Ok(None) };
        add_shards(&mut transaction, build, new.shards).await.map_err(failed)?;
        return SqliteTransaction::of_new(model, store.clone(), transaction, id(build)).await.map(Some);
    }
    path(model, projection, 0).await?;
    let seen = next_number(model, projection).await?;
    let is_made = |build: &Build| build.id.state == BuildState::Next && build.version >= new.version;
    if model.builds(projection).await?.iter().any(is_made) {
        return Ok(None);
    }
    let build = write(store, &doing, async |connection| {
        let next =
            sqlx::query_scalar::<_, i64>(NEXT).bind(projection).fetch_optional(&mut *connection).await?;
        if next.map(i64::unsigned_abs) != seen {
            return Ok(None);
        }
        sqlx::query(REMOVE_NEXT).bind(projection).execute(&mut *connection).await?;
        add(connection, new).await
    });
    // Somebody else was quicker.
    let Some((build, paused)) = build.await? else { return Ok(None) };
    let path = path(model, projection, build.unsigned_abs()).await?;
    remove(&path).map_err(|error| unusable(&path, error))?;
    let file = SqliteStore::builder(&path.to_string_lossy()).env(store.env().clone()).open().await?;
    model.open.lock().await.insert(build.unsigned_abs(), file.clone());
    let mut transaction = file.begin().await?;
    let failed = |error| file.failed(&doing, error);
    bind(ADD_THERE, new).bind(build).bind(paused).execute(&mut *transaction).await.map_err(failed)?;
    add_shards(&mut transaction, build, new.shards).await.map_err(failed)?;
    SqliteTransaction::of_new(model, file, transaction, id(build)).await.map(Some)
}

/// The number of the build, and whether it is paused.
async fn add(connection: &mut SqliteConnection, new: &NewBuild) -> Result<Option<(i64, bool)>, sqlx::Error> {
    use sqlx::Row;
    let row = bind(ADD, new).fetch_optional(connection).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

fn bind<'a>(
    sql: &'static str,
    new: &'a NewBuild,
) -> sqlx::query::Query<'a, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    let query = sqlx::query(sql).bind(&new.projection).bind(number(new.state));
    query.bind(i64::from(new.version)).bind(new.live_from.to_string())
}

async fn add_shards(connection: &mut SqliteConnection, build: i64, shards: u16) -> Result<(), sqlx::Error> {
    for shard in 0..i64::from(shards) {
        sqlx::query(ADD_SHARD).bind(build).bind(shard).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The file of the next build of a projection, where it has one.
pub(super) async fn next(model: &SqliteReadModel, projection: &str) -> Result<Option<SqliteStore>, Error> {
    match next_number(model, projection).await? {
        Some(number) => open(model, projection, number).await,
        None => Ok(None),
    }
}

/// The number of the next build of a projection, where it has one.
pub(super) async fn next_number(model: &SqliteReadModel, projection: &str) -> Result<Option<u64>, Error> {
    let number = read(&model.store, "looking for a build", async |connection| {
        sqlx::query_scalar::<_, i64>(NEXT).bind(projection).fetch_optional(connection).await
    });
    Ok(number.await?.map(i64::unsigned_abs))
}

/// Opens the file of a build, where it is there.
pub(super) async fn open(
    model: &SqliteReadModel,
    projection: &str,
    number: u64,
) -> Result<Option<SqliteStore>, Error> {
    let path = path(model, projection, number).await?;
    let mut open = model.open.lock().await;
    // Somebody else may have removed it.
    if !path.exists() {
        open.remove(&number);
        return Ok(None);
    }
    match open.entry(number) {
        Entry::Occupied(known) => Ok(Some(known.get().clone())),
        Entry::Vacant(unknown) => {
            let file = SqliteStore::builder(&path.to_string_lossy()).env(model.store.env().clone());
            Ok(Some(unknown.insert(file.open().await?).clone()))
        }
    }
}

/// Removes the files of builds of a projection that it does not have any more.
pub(super) async fn clean_up(model: &SqliteReadModel, projection: &str) -> Result<(), Error> {
    let Some(file) = file(model).await? else { return Ok(()) };
    let (folder, start) = (folder(&file), format!("{}.{projection}.", name(&file)));
    let failed = |error| unusable(folder, error);
    for entry in folder.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let found = name(&path);
        let number = found.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".build"));
        let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) else { continue };
        // A build is recorded before its file is made.
        if next_number(model, projection).await? != Some(number) {
            // Somebody may still be reading it, and finds nothing there at the next look.
            model.open.lock().await.remove(&number);
            remove(&path).map_err(failed)?;
        }
    }
    Ok(())
}

/// Where the file of a build is.
async fn path(model: &SqliteReadModel, projection: &str, number: u64) -> Result<PathBuf, Error> {
    let Some(file) = file(model).await? else {
        let what = format!(
            "making projection `{projection}` anew: its database is in memory, and a new build needs a file of its own; \
             keep the read model in a file"
        );
        return Err(Error::new(ErrorKind::Unsupported, what));
    };
    Ok(folder(&file).join(format!("{}.{projection}.{number}.build", name(&file))))
}

/// The file of the database; none where it is in memory.
pub(super) async fn file(model: &SqliteReadModel) -> Result<Option<PathBuf>, Error> {
    let file = read(&model.store, "looking for the file", async |connection| {
        sqlx::query_scalar::<_, Option<String>>(FILE).fetch_one(connection).await
    });
    Ok(file.await?.filter(|file| !file.is_empty()).map(PathBuf::from))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes the file of a build, with its log; what is not there is no error.
fn remove(path: &Path) -> io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(end);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn unusable(path: &Path, error: io::Error) -> Error {
    let what = format!("clearing away files of builds at `{}`: let this user write there", path.display());
    Error::new(ErrorKind::Config, what).with_source(error)
}
