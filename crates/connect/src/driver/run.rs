//! The loop.

use tokio::sync::mpsc;
use unbroken_core::machine::{Halt, Input, Machine, Now, Report};

use crate::driver::log::Log;
use crate::driver::performer::{Next, Performer};
use crate::source::Source;

/// Runs a source until its machine halts.
///
/// `inputs` brings what is decided or learnt elsewhere: `Restored` first, then the log's `Appended`
/// and `AppendFailed`, and a person's `KeysChanged`, `Resync` and `Shutdown`. If the channel is
/// closed the log's answers cannot come any more, and the source stops as if the log had failed.
/// `reports` is called on the loop and must not block.
pub async fn drive<L: Log, R: FnMut(Now, Report)>(
    source: Source,
    machine: Machine,
    log: L,
    mut inputs: mpsc::Receiver<Input>,
    reports: R,
) -> Halt {
    let mut performer = Performer::new(source, machine, log, reports);
    let mut batch = Vec::new();
    let mut deadline = None;
    let halt = loop {
        // The order matters under load: durability and a person's word before more of the vendor's.
        let next = tokio::select! {
            biased;
            input = inputs.recv() => match input {
                Some(input) => performer.tell(input),
                None => break Halt::Journal { what: "the log has gone away".into() },
            },
            brought = performer.errands.next() => performer.tell_brought(brought),
            () = performer.clock.sleep_until(deadline) => performer.tell(Input::Tick),
            () = performer.sockets.next_batch(&mut batch) => {
                performer.tell_batch(batch.drain(..)).unwrap_or(Next::Wait(deadline))
            }
        };
        performer.hand_over();
        match next {
            Next::Wait(until) => deadline = until,
            Next::Halt(halt) => break halt,
        }
    };
    performer.finish().await;
    halt
}
