//! What the machine can do at best: each step of the way alone, with nothing around it.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Failure;
use crate::process::stat;
use crate::summary::LimitFigures;
use crate::vendor::Frames;

/// As in the journal: zeros are written ahead, so that a sync need not grow the file.
const FILE_BYTES: usize = 64 * 1024 * 1024;
const BATCH_EVENTS: usize = 1_000;
const SYNCS: usize = 400;
const SYNC_BYTES: usize = 4 * 1024;
const READ_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Limits {
    /// Where files may be made.
    pub(crate) dir: PathBuf,
    pub(crate) events: usize,
    /// The server's address for raw bytes.
    pub(crate) raw: Option<String>,
}

/// The least that anybody must read of an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    sequence_id: u64,
    epoch: &'a str,
    timestamp: &'a str,
    #[serde(borrow)]
    adherence: &'a RawValue,
}

/// Measures and prints the figures as one line of JSON.
pub(crate) fn run(settings: &Limits) -> Result<(), Failure> {
    let frames = Frames::make(1_000, settings.events)?;
    let (raw_events_per_s, raw_cpu_us_per_event) = match &settings.raw {
        Some(address) => receive(address, settings.events)?,
        None => (0.0, 0.0),
    };
    let (fdatasync_p50_us, fdatasync_p99_us) = sync_alone(settings)?;
    let figures = LimitFigures {
        raw_events_per_s,
        raw_cpu_us_per_event,
        parse_us_per_event: parse(&frames)?,
        append_events_per_s: append(settings, &frames)?,
        fdatasync_p50_us,
        fdatasync_p99_us,
    };
    let mut out = std::io::stdout().lock();
    Ok(writeln!(out, "limits {}", serde_json::to_string(&figures)?)?)
}

fn receive(address: &str, events: usize) -> Result<(f64, f64), Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /raw HTTP/1.1\r\n\r\n")?;
    let mut buffer = vec![0; READ_BYTES];
    let mut read = stream.read(&mut buffer)?;
    let (began, cpu) = (Instant::now(), stat(std::process::id())?.cpu_us);
    while read > 0 {
        read = stream.read(black_box(&mut buffer))?;
    }
    let cpu_us = stat(std::process::id())?.cpu_us - cpu;
    Ok((events as f64 / began.elapsed().as_secs_f64(), cpu_us as f64 / events as f64))
}

fn parse(frames: &Frames) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut count = 0;
    for frame in frames.bytes.chunks_exact(frames.frame_bytes) {
        let text = std::str::from_utf8(&frame[4..])?;
        let event: Event<'_> = serde_json::from_str(text)?;
        let Event { sequence_id, epoch, timestamp, adherence } = event;
        black_box((sequence_id, epoch, timestamp, adherence.get()));
        count += 1;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(count))
}

fn zeros(settings: &Limits) -> Result<File, Failure> {
    let path = settings.dir.join("zeros");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    let zeros = vec![0; 1024 * 1024];
    for at in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at as u64)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn append(settings: &Limits, frames: &Frames) -> Result<f64, Failure> {
    let file = zeros(settings)?;
    let began = Instant::now();
    let (mut events, mut at) = (0, 0);
    let mut batch = Vec::new();
    for events_of_batch in frames.bytes.chunks(frames.frame_bytes * BATCH_EVENTS) {
        batch.clear();
        batch.extend_from_slice(&[0; 4]);
        batch.extend_from_slice(events_of_batch);
        let checksum = crc32c::crc32c(&batch).to_le_bytes();
        batch[..4].copy_from_slice(&checksum);
        if at + batch.len() > FILE_BYTES {
            // Over what was written before: the figure is of the steady state.
            at = 0;
        }
        file.write_all_at(&batch, at as u64)?;
        file.sync_data()?;
        at += batch.len();
        events += events_of_batch.len() / frames.frame_bytes;
    }
    Ok(f64::from(u32::try_from(events)?) / began.elapsed().as_secs_f64())
}

fn sync_alone(settings: &Limits) -> Result<(f64, f64), Failure> {
    let file = zeros(settings)?;
    let block = [7; SYNC_BYTES];
    let mut delays = Vec::with_capacity(SYNCS);
    for turn in 0..SYNCS {
        let began = Instant::now();
        file.write_all_at(&block, (turn * SYNC_BYTES) as u64)?;
        file.sync_data()?;
        delays.push(began.elapsed().as_secs_f64() * 1e6);
    }
    delays.sort_by(f64::total_cmp);
    Ok((delays[SYNCS / 2], delays[SYNCS * 99 / 100]))
}
