//! A trap: one request, by its number among all that pass, at which its sender is to die. Not here: killing it.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::watch;

/// When the trap springs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the request is passed on.
    Before,
    /// After it was answered, and before the answer is passed on.
    After,
}

/// A trap for one request. What it catches is never answered, nor is what comes after it until the trap is opened: that
/// is of the sender, which is to die, or of others who are to die with it.
#[derive(Debug)]
pub struct Trap {
    at: Option<(usize, Moment)>,
    seen: AtomicUsize,
    open: AtomicBool,
    sprung: watch::Sender<bool>,
    operations: Mutex<Vec<String>>,
}

impl Trap {
    /// A trap for the request of this number, from 0.
    #[must_use]
    pub fn new(at: usize, moment: Moment) -> Self {
        Self {
            at: Some((at, moment)),
            ..Self::counting()
        }
    }

    /// One that catches nothing and counts what passes.
    #[must_use]
    pub fn counting() -> Self {
        Self {
            at: None,
            seen: AtomicUsize::new(0),
            open: AtomicBool::new(false),
            sprung: watch::Sender::new(false),
            operations: Mutex::default(),
        }
    }

    /// Which operations have come, in their order.
    #[must_use]
    pub fn operations(&self) -> Vec<String> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has sprung.
    pub async fn sprung(&self) {
        // The sender lives as long as this borrow does.
        let _ = self
            .sprung
            .subscribe()
            .wait_for(|is_sprung| *is_sprung)
            .await;
    }

    /// Lets pass what comes from now on; what has been caught stays so.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// The request's number.
    pub(super) async fn enter(&self, operation: &str) -> usize {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(operation.to_owned());
        let number = self.seen.fetch_add(1, Ordering::AcqRel);
        self.spring_at(number, Moment::Before).await;
        number
    }

    pub(super) async fn leave(&self, number: usize) {
        self.spring_at(number, Moment::After).await;
    }

    /// Does not come back where the request is caught.
    async fn spring_at(&self, number: usize, moment: Moment) {
        if self.at == Some((number, moment)) {
            self.sprung.send_replace(true);
            std::future::pending::<()>().await;
        }
        if *self.sprung.borrow() && !self.open.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
    }
}
