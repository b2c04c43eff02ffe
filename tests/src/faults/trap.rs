//! A trap: stops the sender at one request, identified by its number. The test then kills the sender.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::watch;

/// The moment at which the trap is triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the request is forwarded.
    Before,
    /// After the upstream's response, before it is forwarded.
    After,
}

/// A trap for one request. The caught request and all later ones get no response until the trap is opened: their senders are to
/// be killed.
#[derive(Debug)]
pub struct Trap {
    at: Option<(usize, Moment)>,
    seen: AtomicUsize,
    open: AtomicBool,
    sprung: watch::Sender<bool>,
    operations: Mutex<Vec<String>>,
}

impl Trap {
    /// Returns a trap for the request with this number, from 0.
    #[must_use]
    pub fn new(at: usize, moment: Moment) -> Self {
        Self {
            at: Some((at, moment)),
            ..Self::counting()
        }
    }

    /// Returns a trap that catches nothing and counts requests.
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

    /// Returns the operations in the order of their requests.
    #[must_use]
    pub fn operations(&self) -> Vec<String> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until the trap is triggered.
    pub async fn sprung(&self) {
        // The sender outlives this borrow.
        let _ = self
            .sprung
            .subscribe()
            .wait_for(|is_sprung| *is_sprung)
            .await;
    }

    /// Lets later requests pass. Caught requests stay caught.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Registers a request and returns its number.
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

    /// Never returns if the request is caught.
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
