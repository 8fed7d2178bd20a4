//! Crash points: the moments between which something changes in a target, or in who knows of it,
//! while a sink is opened or a batch is committed.
//!
//! They are for the trials, in which an instance ends at each of them, or stands still there while
//! another one takes the sink over. In any other build they are nothing.

#[cfg(feature = "proof")]
mod watched {
    use std::cell::RefCell;
    use std::fmt;
    use std::sync::Arc;

    thread_local! {
        static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
    }

    /// Is told of each point that is passed: its name, and what is so then.
    #[derive(Clone)]
    pub struct Watcher(Arc<dyn Fn(&'static str, &'static str) + Send + Sync>);

    impl Watcher {
        /// What it does may take its time, or unwind: the instance is held, or ends.
        pub fn new(told: impl Fn(&'static str, &'static str) + Send + Sync + 'static) -> Self {
            Self(Arc::new(told))
        }

        /// Is told of what this thread passes from now on, and of what is done for it on threads
        /// where it holds up nobody.
        pub fn watch(self) {
            WATCHER.set(Some(self));
        }
    }

    impl fmt::Debug for Watcher {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Watcher").finish_non_exhaustive()
        }
    }

    /// The sink is at this point, and this is so.
    pub(crate) fn pass(name: &'static str, edge: &'static str) {
        // Not borrowed while it is told, which may unwind.
        let watcher = WATCHER.with_borrow(Clone::clone);
        if let Some(Watcher(told)) = watcher {
            told(name, edge);
        }
    }

    /// Work for another thread, watched by whoever watches this one.
    pub(crate) fn carried<T>(work: impl FnOnce() -> T + Send) -> impl FnOnce() -> T + Send {
        let watcher = WATCHER.with_borrow(Clone::clone);
        move || {
            WATCHER.set(watcher);
            work()
        }
    }
}

#[cfg(feature = "proof")]
pub use self::watched::Watcher;
#[cfg(feature = "proof")]
pub(crate) use self::watched::{carried, pass};

/// The sink is at this point, and this is so.
#[cfg(not(feature = "proof"))]
#[inline(always)]
pub(crate) fn pass(_name: &'static str, _edge: &'static str) {}

/// Work for another thread.
#[cfg(not(feature = "proof"))]
pub(crate) fn carried<T>(work: impl FnOnce() -> T + Send) -> impl FnOnce() -> T + Send {
    work
}
