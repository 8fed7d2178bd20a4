//! `unbroken run`: the service.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;
use unbroken::pipeline::{Handle, Unobserved};
use unbroken::{Pipeline, config};
use unbroken_connect::capture::{CAPTURE_BYTES_MAX, Recorder};

use super::answer::Answer;
use super::args::RunArgs;
use super::error::CliError;
use super::logging;

pub(crate) fn run(args: &RunArgs) -> Result<Answer, CliError> {
    let mut config = config::load(&args.config)?;
    let format = args.log.map_or(config.log.format, Into::into);
    logging::init(&config.log, format)?;
    config.capture = args.record.as_deref().map(record).transpose()?;
    config.adopt = adopted(&args.adopt, &config)?;
    let capture = config.capture.clone();
    let answer = runtime()?.block_on(serve(config));
    if let Some(capture) = capture {
        capture.finish();
    }
    answer
}

fn adopted(names: &[String], config: &config::Config) -> Result<Vec<String>, CliError> {
    let is_there = |name: &&String| config.sinks.iter().any(|sink| sink.name == **name);
    match names.iter().find(|name| !is_there(name)) {
        Some(name) => Err(CliError::NoSink(name.clone())),
        None => Ok(names.to_vec()),
    }
}

fn record(path: &Path) -> Result<Arc<Recorder>, CliError> {
    let made = Recorder::create(path, CAPTURE_BYTES_MAX);
    let failed = |source| CliError::Record { path: path.to_owned(), source };
    Ok(Arc::new(made.map_err(failed)?))
}

/// The runtime that everything asynchronous runs on.
pub(crate) fn runtime() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Io { what: "starting the runtime", source })
}

async fn serve(config: config::Config) -> Result<Answer, CliError> {
    let told_to_stop = stop_signal()?;
    let hangups = listen(SignalKind::hangup())?;
    let pipeline = Pipeline::start(config, fastrand::u64(..), std::sync::Arc::new(Unobserved))?;
    let reloading = tokio::spawn(reload_on(hangups, pipeline.handle()));
    let stopped = pipeline.until(told_to_stop).await;
    reloading.abort();
    stopped?;
    Ok(Answer::Yes)
}

async fn reload_on(mut hangups: Signal, handle: Handle) {
    while hangups.recv().await.is_some() {
        info!("told to reload");
        handle.reload(None);
    }
}

/// Ready when the process is asked to end.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, CliError> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn listen(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(|source| CliError::Io { what: "listening for signals", source })
}
