//! What to do about each thing that can go wrong: one table, so that nobody decides it twice.

use unbroken_core::machine::{Blocked, Halt};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It is tried again by itself.
    Retry,
    /// It waits for a person; everything else goes on.
    Wait,
    /// The process ends: going on could only make it worse.
    Stop,
}

/// A course, and what a person should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens next.
    pub course: Course,
    /// What a person should do; empty where nothing need be done.
    pub todo: &'static str,
}

/// Something that went wrong in a part of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The journal did not accept or sync a batch.
    JournalWrite,
    /// The journal could not be read while feeding the store.
    JournalRead,
    /// The store did not take a batch.
    StoreWrite,
    /// A source's driver ended without being asked to.
    DriverEnded,
    /// A control connection failed.
    Control,
}

/// The table of the process's own faults.
pub fn of_fault(fault: Fault) -> Policy {
    match fault {
        Fault::JournalWrite => Policy {
            course: Course::Stop,
            todo: "make room or mend the disk, then start again: nothing acknowledged is lost, \
                   and a failed sync must never be tried twice",
        },
        Fault::JournalRead => Policy {
            course: Course::Wait,
            todo: "run `unbroken verify`: the log on disk does not read back",
        },
        Fault::StoreWrite => Policy {
            course: Course::Retry,
            todo: "the log is safe and the store will catch up; if it stays, `unbroken rebuild`",
        },
        Fault::DriverEnded => Policy {
            course: Course::Wait,
            todo: "other sources go on; see the lines above and start again",
        },
        Fault::Control => Policy { course: Course::Retry, todo: "" },
    }
}

/// The table of blocked streams.
pub fn of_blocked(why: &Blocked) -> Policy {
    let todo = match why {
        Blocked::MassDelete { .. } => {
            "if so many keys are really gone, `unbroken control resync` accepts it; if not, ask \
             the vendor why its list is short"
        }
        Blocked::Auth { failure } | Blocked::Fatal { failure }
            if failure.code.is_some_and(|code| (300..400).contains(&code)) =>
        {
            "a bearer goes to the configured origins only: if the vendor has moved, write its new \
             address into the source, then start again"
        }
        Blocked::Fatal { failure } if failure.code == Some(403) => {
            "the token lacks a right: have its scope granted by the vendor's administrator, ask \
             for it as `scope` of `[source.auth]`, then `unbroken control reload`"
        }
        Blocked::Fatal { failure } if failure.code == Some(404) => {
            "the vendor has nothing at this address: check `api`, `stream` and the profile's \
             paths, then start again"
        }
        Blocked::Auth { .. } => "check client id, secret and scope; then `unbroken control reload`",
        Blocked::Fatal { failure } if failure.code.is_none() => {
            "the vendor does not do what the source's settings and profile say: mend them, then \
             `unbroken control reload`"
        }
        Blocked::Fatal { .. } => {
            "the vendor will not accept this request however often it is made: check the source's \
             settings, then `unbroken control reload`"
        }
        Blocked::NoWay => {
            "give the source a snapshot, a subscription without a position, or a place to begin: \
                           `start = { from = \"…\" }`"
        }
    };
    Policy { course: Course::Wait, todo }
}

/// For a stream that has been waiting for its vendor for long.
pub fn of_long_wait() -> Policy {
    Policy {
        course: Course::Retry,
        todo: "it is tried again by itself; if the reason does not explain it, `unbroken check` \
               says how far one gets",
    }
}

/// The table of stopped sources.
pub fn of_halt(halt: &Halt) -> Policy {
    match halt {
        Halt::Stopped => Policy { course: Course::Stop, todo: "" },
        Halt::Journal { .. } => of_fault(Fault::JournalWrite),
    }
}

/// What to do when the vendor's frames are not understood any more.
pub const SCHEMA_ADVICE: &str = "record some frames (`unbroken run --record`), look at them with \
     `unbroken profile test`, and adapt `[source.profile.frames]`";

#[cfg(test)]
mod tests {
    use super::{Course, Fault, of_fault};

    #[test]
    fn a_failed_sync_stops_the_process_and_a_failed_store_does_not() {
        assert_eq!(of_fault(Fault::JournalWrite).course, Course::Stop);
        assert_eq!(of_fault(Fault::StoreWrite).course, Course::Retry);
        assert_eq!(of_fault(Fault::DriverEnded).course, Course::Wait);
    }
}
