//! A handler that keeps the processor busy is noticed, and runs in tasks of its own from then on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::memory::Memory;
use jitney::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Image", id = image_id)]
struct ImageUploaded {
    image_id: String,
}

type Tasks = Arc<Mutex<HashSet<tokio::task::Id>>>;

#[handler(group = "thumbnails", concurrency = 4)]
async fn shrink(_: ImageUploaded, State(tasks): State<Tasks>) {
    tasks.lock().unwrap().insert(tokio::task::id());
    burn(Duration::from_millis(1));
}

#[handler(group = "counting", concurrency = 4)]
async fn count(_: ImageUploaded, State(tasks): State<Tasks>) {
    tasks.lock().unwrap().insert(tokio::task::id());
}

/// Uses the processor for so long by the real clock.
#[allow(clippy::disallowed_methods)]
fn burn(time: Duration) {
    let started = std::time::Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}

async fn tasks_of(handlers: HandlerSet) -> usize {
    let (memory, tasks) = (Memory::new(), Tasks::default());
    let app = App::new("gallery", Bus::new(memory.clone())).state(Arc::clone(&tasks)).handlers(handlers);
    let app = app.spawn().await.unwrap();
    let images: Vec<_> = (0..200).map(|id| ImageUploaded { image_id: id.to_string() }).collect();
    app.bus().publish_all(&images).await.unwrap();
    memory.idle().await;
    app.shutdown().await.unwrap();
    let tasks = tasks.lock().unwrap();
    tasks.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_handler_gets_tasks_of_its_own() {
    assert!(tasks_of(handlers![shrink]).await > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_does_little_runs_in_the_task_of_its_group() {
    assert_eq!(tasks_of(handlers![count]).await, 1);
}
