//! A sink's own thread: nothing that it does can hold up recording, or another sink.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tracing::error;
use unbroken_journal::Reader;
use unbroken_journal::courtesy::{self, give_way};
use unbroken_render::wall_now;

use crate::progress::Doing;
use crate::{Progress, Pump, PumpConfig, Sink};

/// A running pump. Stop it, or it runs on.
#[derive(Debug)]
pub struct SinkThread {
    name: String,
    stop: watch::Sender<bool>,
    progress: Arc<Progress>,
    thread: JoinHandle<()>,
}

/// After it was told to stop, a sink that does not come to an end is left: what it had not
/// committed it is given again.
const DRAIN_MAX: Duration = Duration::from_millis(1_000);

impl SinkThread {
    /// Starts it.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        sink: impl Sink + 'static,
        reader: Reader,
        config: PumpConfig,
    ) -> io::Result<Self> {
        let (stop, stopping) = watch::channel(false);
        let (name, progress) = (config.name.clone(), Arc::new(Progress::default()));
        let telling = Arc::clone(&progress);
        let priority = courtesy::among(courtesy::CLIENTS, config.sinks);
        let pump = Pump::new(sink, reader, config, Arc::clone(&progress), stopping.clone());
        let thread = thread::Builder::new().name(format!("sink-{name}")).spawn(move || {
            give_way(priority);
            let tells = TellsOfPanic(telling);
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tells.has_no_runtime(&error),
            };
            runtime.block_on(async {
                tokio::select! {
                    _ = pump.run() => {}
                    () = is_overdue(stopping) => {}
                }
            });
            // A wait for the log that is under way ends by itself.
            runtime.shutdown_background();
        })?;
        Ok(Self { name, stop, progress, thread })
    }

    /// The sink's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is doing.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Tells it to stop; [`SinkThread::join`] waits for it.
    pub fn tell_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Gives what the log holds by now, if that does not take long, and ends.
    pub fn join(self) {
        self.tell_to_stop();
        if self.thread.join().is_err() {
            error!(sink = self.name, "sink's thread has failed, which is a defect of this program");
        }
    }
}

/// Nobody is to read that a sink runs whose thread has failed.
struct TellsOfPanic(Arc<Progress>);

impl TellsOfPanic {
    fn has_no_runtime(&self, error: &io::Error) {
        let why = format!("system gives what a sink runs on to nobody: {error}");
        error!(why, "sink does not go on");
        let todo = "raise the limit on open files, and restart the service";
        self.0.fails(Doing::Blocked, wall_now(), why, todo.to_owned());
    }
}

impl Drop for TellsOfPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            let why = "sink's thread has failed, which is a defect of this program";
            let todo = "restart the service, and report it";
            self.0.fails(Doing::Blocked, wall_now(), why.to_owned(), todo.to_owned());
        }
    }
}

async fn is_overdue(mut stopping: watch::Receiver<bool>) {
    // An error says that nobody can say stop any more.
    let _ = stopping.wait_for(|stop| *stop).await;
    tokio::time::sleep(DRAIN_MAX).await;
}
