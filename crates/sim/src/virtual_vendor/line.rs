//! One open stream, as [`crate::server`] serves it over a socket.

use bytes::BytesMut;

use super::Heard;
use crate::cxone::State;
use crate::server::house::Command;
use crate::server::stream::{CLOSE_MS_MAX, HALF_FRAME, answers};
use crate::server::websocket::{Opcode, put_close, put_frame};
use crate::truth::SubscriptionEnd;

/// What becomes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It stays open.
    GoesOn,
    /// The TCP connection ends behind what was written.
    Over,
    /// The TCP connection is reset behind what was written.
    Reset,
}

/// What it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Serving,
    /// Our close frame is out; its answer is awaited until then.
    Closing {
        code: u16,
        until_ms: u64,
    },
    /// Swallows everything and says nothing.
    Hanging,
    /// Both sides have said that it is over.
    Ended(SubscriptionEnd),
}

/// One open stream.
#[derive(Debug)]
pub(super) struct Line {
    mode: Mode,
    /// Answers that go out with the next turn.
    answers: BytesMut,
    heartbeat_ms: u64,
    heartbeat_at_ms: u64,
}

impl Line {
    pub(super) fn new(now_ms: u64, heartbeat_ms: u64) -> Self {
        let heartbeat_at_ms = now_ms + heartbeat_ms.max(1);
        Self { mode: Mode::Serving, answers: BytesMut::new(), heartbeat_ms, heartbeat_at_ms }
    }

    pub(super) fn turn(&mut self, state: &mut State, conn: u64, out: &mut BytesMut) -> Turn {
        out.extend_from_slice(&self.answers.split());
        match self.mode {
            Mode::Serving => {
                let turn = self.serve(state, conn, out);
                if turn == Turn::GoesOn {
                    self.beat(state, conn, out);
                }
                turn
            }
            Mode::Closing { until_ms, .. } if state.clock.now_ms() >= until_ms => {
                state.close_session(conn, SubscriptionEnd::Broken);
                Turn::Over
            }
            Mode::Ended(end) => {
                state.close_session(conn, end);
                Turn::Over
            }
            Mode::Hanging if state.must_break(conn) => {
                state.close_session(conn, SubscriptionEnd::Broken);
                Turn::Reset
            }
            Mode::Closing { .. } | Mode::Hanging => Turn::GoesOn,
        }
    }

    /// Frames that are due, and commands between them.
    fn serve(&mut self, state: &mut State, conn: u64, out: &mut BytesMut) -> Turn {
        loop {
            let command = state.take_command(conn);
            let before = out.len();
            let is_more = state.fill(conn, out);
            if out.len() > before {
                state.delivered(conn);
            }
            match command {
                Some(Command::Say(text)) => put_frame(Opcode::Text, text.as_bytes(), out),
                Some(Command::Close { code, reason }) => {
                    put_close(code, reason, out);
                    state.fault_on_performed(conn, &Command::Close { code, reason });
                    let until_ms = state.clock.now_ms() + CLOSE_MS_MAX;
                    self.mode = Mode::Closing { code, until_ms };
                    return Turn::GoesOn;
                }
                Some(Command::Reset { mid_frame }) => {
                    if mid_frame {
                        out.extend_from_slice(HALF_FRAME);
                    }
                    state.fault_on_performed(conn, &Command::Reset { mid_frame });
                    state.close_session(conn, SubscriptionEnd::Broken);
                    return Turn::Reset;
                }
                Some(Command::HalfOpen) => {
                    self.mode = Mode::Hanging;
                    return Turn::GoesOn;
                }
                None if is_more => {}
                None => return Turn::GoesOn,
            }
        }
    }

    fn beat(&mut self, state: &mut State, conn: u64, out: &mut BytesMut) {
        let now_ms = state.clock.now_ms();
        if self.mode != Mode::Serving || now_ms < self.heartbeat_at_ms {
            return;
        }
        // As an interval whose missed ticks are delayed.
        self.heartbeat_at_ms = now_ms + self.heartbeat_ms.max(1);
        let (text, ping) = state.heartbeat(conn);
        put_frame(Opcode::Text, text.as_bytes(), out);
        put_frame(Opcode::Ping, &ping, out);
    }

    pub(super) fn hear(&mut self, state: &mut State, conn: u64, heard: Heard) {
        match (self.mode, heard) {
            (Mode::Serving, Heard::Text(text)) => {
                let reply = state.answer(conn, text.as_bytes());
                put_frame(Opcode::Text, reply.as_bytes(), &mut self.answers);
            }
            (Mode::Serving, Heard::Ping(payload)) => {
                put_frame(Opcode::Pong, &payload, &mut self.answers);
            }
            (Mode::Serving, Heard::Pong(payload)) => state.pong(&payload),
            (Mode::Serving, Heard::Close(payload)) => {
                put_frame(Opcode::Close, &payload, &mut self.answers);
                self.mode = Mode::Ended(SubscriptionEnd::Left);
            }
            (Mode::Closing { code, .. }, Heard::Close(payload)) => {
                self.mode = Mode::Ended(answers(&payload, code));
            }
            (Mode::Closing { .. } | Mode::Hanging | Mode::Ended(_), _) => {}
        }
    }
}
