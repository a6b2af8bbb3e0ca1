use super::*;

fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

fn keys(ids: &[&str]) -> MasterKeys {
    let mut keys = ids.iter().map(|id| MasterKey::random(id).unwrap());
    keys.next()
        .into_iter()
        .map(MasterKeys::new)
        .next()
        .map(|first| keys.fold(first, |keys, key| keys.then(key).unwrap()))
        .unwrap()
}

#[tokio::test]
async fn the_last_one_wraps_and_all_unwrap() {
    let (key, id) = (DataKey::random().unwrap(), KeyId::random().unwrap());
    let one = keys(&["a"]);
    let wrapped = one.wrap(&subject("s"), id, &key).await.unwrap();
    let two = one.then(MasterKey::random("b").unwrap()).unwrap();
    assert_eq!(two.unwrap(&subject("s"), &wrapped).await.unwrap().expose(), key.expose());
    let again = two.wrap(&subject("s"), id, &key).await.unwrap();
    assert_eq!((wrapped.master.as_str(), again.master.as_str()), ("a", "b"));
    assert!(!wrapped.bytes.windows(8).any(|part| part == &key.expose()[..8]));
}

#[tokio::test]
async fn a_wrapped_key_opens_for_its_subject_under_its_id_by_its_master_key_alone() {
    let (key, id) = (DataKey::random().unwrap(), KeyId::random().unwrap());
    let one = keys(&["a"]);
    let wrapped = one.wrap(&subject("s"), id, &key).await.unwrap();
    let kind = async |keys: &MasterKeys, of: &str, wrapped: &WrappedKey| {
        let error = keys.unwrap(&subject(of), wrapped).await.unwrap_err();
        assert_eq!(error.is_retryable(), error.kind() == ErrorKind::UnknownMasterKey);
        error.kind()
    };
    let other_id = WrappedKey { id: KeyId::random().unwrap(), ..wrapped.clone() };
    let short = WrappedKey { bytes: wrapped.bytes[..40].to_vec(), ..wrapped.clone() };
    assert_eq!(kind(&one, "t", &wrapped).await, ErrorKind::WrongMasterKey);
    assert_eq!(kind(&one, "s", &other_id).await, ErrorKind::WrongMasterKey);
    assert_eq!(kind(&one, "s", &short).await, ErrorKind::WrongMasterKey);
    assert_eq!(kind(&keys(&["a"]), "s", &wrapped).await, ErrorKind::WrongMasterKey);
    assert_eq!(kind(&keys(&["b"]), "s", &wrapped).await, ErrorKind::UnknownMasterKey);
}

#[test]
fn keys_are_read_and_no_error_shows_one() {
    let key = STANDARD.encode([7; KEY_BYTES]);
    let keys = MasterKeys::parse(&format!("a:{key}, b:{key}\nc:{key}\n")).unwrap();
    assert_eq!((keys.current(), keys.older.len()), ("c", 2));
    assert!(!format!("{keys:?}").contains(&key[..8]));
    for wrong in [
        String::new(),
        " , ".to_owned(),
        key.clone(),
        format!(":{key}"),
        format!("a b:{key}"),
        format!("a:{}", &key[4..]),
        format!("a:{key}{key}"),
        format!("a:?{}", &key[1..]),
        format!("a:{key} a:{key}"),
        format!("ü:{key}"),
    ] {
        let error = MasterKeys::parse(&wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
        assert!(!format!("{error:?}").contains(&key[8..16]), "{error:?}");
    }
    let error = MasterKeys::from_env("JITNEY_NO_SUCH_VARIABLE").unwrap_err();
    assert!(error.to_string().contains("`JITNEY_NO_SUCH_VARIABLE`"), "{error}");
    let error = MasterKeys::from_file("/no/such/file").unwrap_err();
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}
