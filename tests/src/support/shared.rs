//! One stack for all tests that only read, because a start takes seconds. It contains Jane's files. Each test adds its own
//! customers, which no other test names.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
    thread::JoinHandle,
};

use local::{InvokeError, Options, Stack};
use serde_json::Value;
use tokio::{
    runtime::{Handle, Runtime},
    sync::oneshot,
};

use super::{
    api::Api,
    app::{checked, text},
    files::JANE,
};

/// The stack while a test uses it. Tests in `read` overlap or follow one another, so it starts once.
static SHARED: Mutex<Weak<SharedStack>> = Mutex::new(Weak::new());

/// A client of the shared stack. It has no methods that write notes.
pub(crate) struct SharedApp {
    api: Api,
    shared: Arc<SharedStack>,
}

impl Deref for SharedApp {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl SharedApp {
    /// Returns a client of the shared stack, which is started if no other test uses it.
    pub(crate) async fn get() -> Self {
        let shared = tokio::task::spawn_blocking(SharedStack::get);
        let shared = shared.await.expect("the shared stack starts");
        Self {
            api: Api::new(shared.stack().api_url()),
            shared,
        }
    }

    /// Drops a file and returns its report, whose counts have to add up.
    pub(crate) async fn import(&self, key: &str, rows: &str) -> Value {
        let (stack, key, rows) = (self.shared.stack(), key.to_owned(), rows.to_owned());
        let import = async move { stack.import(&key, rows.into_bytes()).await };
        let report = self.shared.runtime.spawn(import).await;
        checked(report.expect("no panic").expect("the import ends"))
    }

    /// Drops files together. Returns their reports by key, whose counts have to add up.
    pub(crate) async fn import_all(
        &self,
        files: Vec<(String, Vec<u8>)>,
    ) -> BTreeMap<String, Value> {
        let stack = self.shared.stack();
        let import = async move {
            let mut imports = stack.imports();
            for (key, content) in files {
                imports.put(&key, content).await.expect("S3 responds");
            }
            let mut reports = BTreeMap::new();
            while let Some(outcome) = imports.next().await {
                let (key, report) = outcome.expect("the import ends");
                reports.insert(key, checked(report));
            }
            reports
        };
        self.shared.runtime.spawn(import).await.expect("no panic")
    }

    /// Drops a file that is not imported.
    pub(crate) async fn put(&self, key: &str, content: Vec<u8>) {
        let (stack, key) = (self.shared.stack(), key.to_owned());
        let put = async move { stack.put(&key, content).await };
        let put = self.shared.runtime.spawn(put).await.expect("no panic");
        put.expect("S3 responds");
    }

    /// Returns the keys of the objects whose keys begin with `prefix`.
    pub(crate) fn list(&self, prefix: &str) -> Vec<String> {
        self.shared.stack().list(prefix)
    }

    /// Returns the content of an object.
    pub(crate) async fn object(&self, key: &str) -> String {
        let (stack, name) = (self.shared.stack(), key.to_owned());
        let get = self
            .shared
            .runtime
            .spawn(async move { stack.get(&name).await });
        text(key, get.await.expect("no panic").expect("S3 responds"))
    }

    /// Invokes a function by the name of its binary.
    pub(crate) async fn invoke(&self, function: &str, event: Value) -> Result<Value, InvokeError> {
        let (stack, function) = (self.shared.stack(), function.to_owned());
        let invoke = async move { stack.invoke(&function, event).await };
        self.shared.runtime.spawn(invoke).await.expect("no panic")
    }
}

/// A stack on its own thread, because its tasks need a runtime that outlives the tests' runtimes. Dropping it shuts the stack
/// down.
struct SharedStack {
    /// `None` while it is dropped.
    stack: Option<Arc<Stack>>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SharedStack {
    fn get() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start());
        *shared = Arc::downgrade(&started);
        started
    }

    fn start() -> Self {
        let (started, stack) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let stack = Stack::start(Options::default()).await;
                let stack = Arc::new(stack.expect("the stack starts"));
                for (folder, rows) in JANE {
                    let key = format!("drop/{folder}/jane.ndjson");
                    let report = stack.import(&key, rows).await;
                    checked(report.expect("the import ends"));
                }
                eprintln!("started the shared stack");
                let handle = Handle::current();
                started
                    .send((Arc::clone(&stack), handle))
                    .expect("a test waits");
                let _ = stopped.await;
                if let Some(stack) = Arc::into_inner(stack) {
                    stack.shutdown().await;
                }
            });
        });
        let (stack, runtime) = stack.recv().expect("the shared stack starts");
        Self {
            stack: Some(stack),
            runtime,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn stack(&self) -> Arc<Stack> {
        Arc::clone(self.stack.as_ref().expect("it is not dropped yet"))
    }
}

impl Drop for SharedStack {
    fn drop(&mut self) {
        drop(self.stack.take());
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
