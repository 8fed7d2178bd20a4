//! One open stream: reads what the client says, writes what is due.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::house::{Command, House};
use super::websocket::{MessageReader, Opcode, put_close, put_frame};
use super::wire::Wire;
use crate::truth::SubscriptionEnd;

/// How long the client may take to answer a close frame.
pub(crate) const CLOSE_MS_MAX: u64 = 1_000;
/// A header that promises more than will ever come.
pub(crate) const HALF_FRAME: &[u8] = b"\x81\x7e\x01\x00{\"type\":\"event\",\"subscr";

/// How a subscription has ended to which we said that it is over with `code`, when a close frame
/// comes: an answer echoes the code.
pub(crate) fn answers(payload: &[u8], code: u16) -> SubscriptionEnd {
    let said = payload.first_chunk().map(|said| u16::from_be_bytes(*said));
    if said == Some(code) { SubscriptionEnd::Closed } else { SubscriptionEnd::Left }
}

/// What became of the connection.
enum Exit {
    /// Both sides have said that it is over.
    Orderly(SubscriptionEnd),
    /// The client or the network broke it.
    Broken,
    /// It is to be reset.
    Reset,
}

/// A stream and its two directions.
struct Stream<H> {
    house: Arc<H>,
    conn: u64,
    reader: MessageReader<ReadHalf<Wire>>,
    writer: WriteHalf<Wire>,
    out: BytesMut,
    wake: watch::Receiver<()>,
    heartbeat: Interval,
}

/// Serves a stream until it is gone.
pub(crate) async fn serve<H: House>(house: Arc<H>, conn: u64, wire: Wire, already_read: BytesMut) {
    let (read, writer) = tokio::io::split(wire);
    let period = Duration::from_millis(house.heartbeat_ms().max(1));
    let mut heartbeat = interval_at(Instant::now() + period, period);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stream = Stream {
        wake: house.sleeper(),
        house: Arc::clone(&house),
        conn,
        reader: MessageReader::new(read, already_read),
        writer,
        out: BytesMut::new(),
        heartbeat,
    };
    let exit = stream.run().await;
    let Stream { reader, mut writer, .. } = stream;
    let end = match exit {
        Exit::Orderly(end) => {
            // A client that has closed already does not hear the end.
            let _ = writer.shutdown().await;
            end
        }
        Exit::Broken => SubscriptionEnd::Broken,
        Exit::Reset => {
            reader.into_source().unsplit(writer).reset();
            SubscriptionEnd::Broken
        }
    };
    house.closed(conn, end);
}

impl<H: House> Stream<H> {
    async fn run(&mut self) -> Exit {
        loop {
            let (command, is_more) = self.house.fill(self.conn, &mut self.out);
            if let Some(exit) = self.write_out().await {
                return exit;
            }
            if let Some(command) = command {
                match self.perform(command).await {
                    Some(exit) => return exit,
                    None => continue,
                }
            }
            tokio::select! {
                message = self.reader.next() => {
                    let Ok(Some((opcode, payload))) = message else { return Exit::Broken };
                    if let Some(exit) = self.answer(opcode, &payload).await {
                        return exit;
                    }
                }
                _ = self.wake.changed() => {}
                _ = self.heartbeat.tick() => self.put_heartbeat(),
                () = std::future::ready(()), if is_more => {}
            }
        }
    }

    /// Writes what has been filled in. A client that does not read holds this up, but not a command
    /// to break the connection.
    async fn write_out(&mut self) -> Option<Exit> {
        if self.out.is_empty() {
            return None;
        }
        let bytes = self.out.split();
        let write = async {
            self.writer.write_all(&bytes).await?;
            self.writer.flush().await
        };
        tokio::pin!(write);
        loop {
            tokio::select! {
                biased;
                written = &mut write => {
                    if written.is_err() {
                        return Some(Exit::Broken);
                    }
                    break;
                }
                changed = self.wake.changed() => {
                    if changed.is_err() || self.house.must_break(self.conn) {
                        return Some(Exit::Reset);
                    }
                }
            }
        }
        self.house.delivered(self.conn);
        None
    }

    fn put_heartbeat(&mut self) {
        let Some((text, ping)) = self.house.heartbeat(self.conn) else { return };
        put_frame(Opcode::Text, text.as_bytes(), &mut self.out);
        put_frame(Opcode::Ping, &ping, &mut self.out);
    }

    async fn answer(&mut self, opcode: Opcode, payload: &[u8]) -> Option<Exit> {
        match opcode {
            Opcode::Text | Opcode::Binary => {
                if let Some(reply) = self.house.answer(self.conn, payload) {
                    put_frame(Opcode::Text, reply.as_bytes(), &mut self.out);
                }
            }
            Opcode::Ping => put_frame(Opcode::Pong, payload, &mut self.out),
            Opcode::Pong => self.house.pong(payload),
            Opcode::Close => {
                put_frame(Opcode::Close, payload, &mut self.out);
                let exit = self.write_out().await;
                return Some(exit.unwrap_or(Exit::Orderly(SubscriptionEnd::Left)));
            }
        }
        None
    }

    async fn perform(&mut self, command: Command) -> Option<Exit> {
        match &command {
            Command::Say(text) => {
                put_frame(Opcode::Text, text.as_bytes(), &mut self.out);
                self.write_out().await
            }
            Command::Close { code, reason } => {
                put_close(*code, reason, &mut self.out);
                let exit = self.write_out().await;
                self.house.performed(self.conn, &command);
                match exit {
                    Some(exit) => Some(exit),
                    None => Some(self.await_close(*code).await),
                }
            }
            Command::Reset { mid_frame } => {
                if *mid_frame {
                    let _ = self.writer.write_all(HALF_FRAME).await;
                    let _ = self.writer.flush().await;
                }
                self.house.performed(self.conn, &command);
                Some(Exit::Reset)
            }
            Command::HalfOpen => Some(self.hang().await),
        }
    }

    /// Waits for the answer to our close frame. One with another code is no answer but the client's
    /// own: the two have crossed, and what we said last may not have been read.
    async fn await_close(&mut self, code: u16) -> Exit {
        let answer = async {
            loop {
                match self.reader.next().await {
                    Ok(Some((Opcode::Close, payload))) => return answers(&payload, code),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return SubscriptionEnd::Broken,
                }
            }
        };
        match timeout(Duration::from_millis(CLOSE_MS_MAX), answer).await {
            Ok(end) => Exit::Orderly(end),
            // A polite end all the same: the client may still be reading.
            Err(_) => Exit::Orderly(SubscriptionEnd::Broken),
        }
    }

    /// Swallows what comes and says nothing, until the client goes or it is to be reset.
    async fn hang(&mut self) -> Exit {
        loop {
            tokio::select! {
                () = self.reader.swallow() => return Exit::Broken,
                changed = self.wake.changed() => {
                    if changed.is_err() || self.house.must_break(self.conn) {
                        return Exit::Reset;
                    }
                }
            }
        }
    }
}
