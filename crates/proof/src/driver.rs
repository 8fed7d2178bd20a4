//! The driver in virtual time: the real machine and the real source, with the order of things that
//! `unbroken_connect::driver` has. What it does to the world is a list of acts.
//!
//! What is joined and counted on its way to the log, and what is said and heard on a socket, is the
//! driver's own. Left out: tasks (an errand is an act and an answer) and tokens handed over on open
//! sockets, of which there are none in the profile that is simulated.

use std::collections::{BTreeMap, VecDeque};

use unbroken_connect::driver::{Flow, Outbox, Talk, unread};
use unbroken_connect::secret::Secret;
use unbroken_connect::source::Source;
use unbroken_connect::transport::SocketEvent;
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Class, Decoded, Failure};
use unbroken_core::ids::{ConnId, Key, RequestId, TokenVersion};
use unbroken_core::machine::{CloseHow, Fetch, Halt, Input, Machine, Message, Now, Output, Report};
use unbroken_core::record::Append;
use unbroken_core::time::Millis;

use crate::witness::Witness;

/// How many versions of the token are kept, as in the driver.
const TOKENS_KEPT: usize = 2;

/// What is asked of the vendor beside the sockets.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Token { version: TokenVersion, at: Millis },
    Page { request: RequestId, what: Fetch, keys: Option<Vec<Key>>, token: Option<Secret> },
    Open { conn: ConnId, after: Option<After>, token: Option<Secret> },
}

/// What an errand brings back.
#[derive(Debug)]
pub(crate) enum Brought {
    Input(Input),
    Socket(ConnId, Result<(), Failure>),
    Token { version: TokenVersion, at: Millis, result: Result<(Secret, Option<u64>), Failure> },
}

/// What is to be done in the world.
#[derive(Debug)]
pub(crate) enum Act {
    Ask(Asked),
    /// What an errand would bring, without the network: it could not be sent.
    Failed(Brought),
    Say {
        conn: ConnId,
        text: Option<String>,
    },
    /// Say these, close politely, and hear nothing more.
    Farewell {
        conn: ConnId,
        texts: Vec<String>,
    },
    /// Close without a word; also of a handshake under way.
    Drop {
        conn: ConnId,
    },
    Submit(Append),
    Report(Report),
}

/// What to do after the machine has been obeyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Wait(Option<Millis>),
    Halt(Halt),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Driver {
    source: std::rc::Rc<Source>,
    pub(crate) machine: Machine,
    outbox: Outbox,
    talks: BTreeMap<ConnId, Talk>,
    open: Vec<ConnId>,
    tokens: BTreeMap<TokenVersion, Secret>,
    echoes: VecDeque<Input>,
    /// Whether sockets are read.
    pub(crate) is_reading: bool,
    pub(crate) acts: Vec<Act>,
}

impl Driver {
    pub(crate) fn new(source: std::rc::Rc<Source>, machine: Machine) -> Self {
        Self {
            outbox: Outbox::new(source.limits().in_flight_bytes_max),
            source,
            machine,
            talks: BTreeMap::new(),
            open: Vec::new(),
            tokens: BTreeMap::new(),
            echoes: VecDeque::new(),
            is_reading: true,
            acts: Vec::new(),
        }
    }

    /// Tells the machine, then does what it says until it waits.
    pub(crate) fn tell(&mut self, now: Now, input: Input, witness: &mut Witness) -> Next {
        if let Input::Appended { append } = &input {
            let flow = self.outbox.durable(*append);
            self.turn(flow);
        }
        self.echoes.push_back(input);
        let mut next = Next::Wait(None);
        while let Some(input) = self.echoes.pop_front() {
            witness.input(now, &self.machine, &input);
            self.machine.handle_input(now, input);
            next = self.drain(now, witness);
            if matches!(next, Next::Halt(_)) {
                break;
            }
        }
        next
    }

    /// Tells the machine what an errand brought.
    pub(crate) fn tell_brought(
        &mut self,
        now: Now,
        brought: Brought,
        witness: &mut Witness,
    ) -> Next {
        let input = match brought {
            Brought::Input(input) => input,
            Brought::Token { version, result: Err(failure), .. } => {
                Input::TokenRefused { version, failure }
            }
            Brought::Token { version, at, result: Ok((token, life_ms)) } => {
                self.tokens.insert(version, token);
                while self.tokens.len() > TOKENS_KEPT {
                    self.tokens.pop_first();
                }
                Input::TokenReady { version, expires_at: life_ms.map(|life_ms| at + life_ms) }
            }
            Brought::Socket(conn, Err(failure)) => {
                self.talks.remove(&conn);
                Input::Refused { conn, failure }
            }
            Brought::Socket(conn, Ok(())) => {
                self.open.push(conn);
                if !self.is_reading {
                    self.echoes.push_back(Input::Opened { conn });
                    return self.tell(now, Input::Reading { conn, resumed: false }, witness);
                }
                Input::Opened { conn }
            }
        };
        self.tell(now, input, witness)
    }

    /// Tells the machine what came from a socket. `None`: nothing that concerned it.
    pub(crate) fn tell_event(
        &mut self,
        now: Now,
        conn: ConnId,
        event: SocketEvent,
        witness: &mut Witness,
    ) -> Option<Next> {
        if let SocketEvent::Ended(_) = &event {
            self.open.retain(|open| *open != conn);
        }
        let talk = self.talks.get_mut(&conn)?;
        let decoded = match event {
            SocketEvent::Frame(frame) => self.source.decode(&frame),
            SocketEvent::Told(_) | SocketEvent::Alive => Decoded::default(),
            SocketEvent::Ended(ended) => {
                self.talks.remove(&conn);
                let failure = self.source.ended(&ended);
                if let Some(decoded) = unread(&ended) {
                    let next = self.tell_frame(now, conn, decoded, witness);
                    if matches!(next, Next::Halt(_)) {
                        return Some(next);
                    }
                }
                let closed = Input::Closed { conn, by: ended.by, failure };
                return Some(self.tell(now, closed, witness));
            }
        };
        let mut next = None;
        for decoded in talk.pass(decoded) {
            next = Some(self.tell_frame(now, conn, decoded, witness));
            if matches!(next, Some(Next::Halt(_))) {
                break;
            }
        }
        next
    }

    /// Hands what the machine has written since the last time over to the log.
    pub(crate) fn hand_over(&mut self) {
        if let Some(append) = self.outbox.take() {
            self.acts.push(Act::Submit(append));
        }
    }

    fn tell_frame(
        &mut self,
        now: Now,
        conn: ConnId,
        decoded: Decoded,
        witness: &mut Witness,
    ) -> Next {
        if let Some(talk) = self.talks.get_mut(&conn) {
            talk.heard(&decoded);
        }
        self.tell(now, Input::Frame { conn, decoded }, witness)
    }

    fn drain(&mut self, now: Now, witness: &mut Witness) -> Next {
        loop {
            let output = self.machine.poll_output();
            witness.output(now, &output);
            match output {
                Output::Wait { deadline, .. } => return Next::Wait(deadline),
                Output::Halt(halt) => return Next::Halt(halt),
                output => self.perform(now, output),
            }
        }
    }

    fn perform(&mut self, now: Now, output: Output) {
        match output {
            Output::Authorize { version } => {
                self.acts.push(Act::Ask(Asked::Token { version, at: now.at }));
            }
            Output::FetchPage { request, what, keys, token, .. } => {
                self.acts.push(match self.token(token) {
                    Ok(token) => Act::Ask(Asked::Page { request, what, keys, token }),
                    Err(failure) => {
                        Act::Failed(Brought::Input(Input::PageFailed { request, failure }))
                    }
                });
            }
            Output::Open { conn, stream, token: version, after } => {
                self.talks.insert(conn, Talk::new(stream, version));
                self.acts.push(match self.token(version) {
                    Ok(token) => Act::Ask(Asked::Open { conn, after, token }),
                    Err(failure) => Act::Failed(Brought::Socket(conn, Err(failure))),
                });
            }
            Output::Close { conn, how } => self.close(conn, how),
            Output::Send { conn, message } => self.send(conn, &message),
            Output::Append(append) => self.append(append),
            Output::Report(report) => self.acts.push(Act::Report(report)),
            // The profile has no history to ask; the others have been dealt with.
            Output::FetchHistory { .. } | Output::Halt(_) | Output::Wait { .. } => {}
        }
    }

    fn append(&mut self, append: Append) {
        let (full, flow) = self.outbox.push(append);
        self.acts.extend(full.map(Act::Submit));
        self.turn(flow);
    }

    fn turn(&mut self, flow: Flow) {
        let Some(resumed) = flow.turn() else { return };
        self.is_reading = resumed;
        self.echoes.extend(self.open.iter().map(|conn| Input::Reading { conn: *conn, resumed }));
    }

    fn close(&mut self, conn: ConnId, how: CloseHow) {
        let talk = self.talks.remove(&conn).filter(Talk::is_subscribed);
        let was_open = self.open.contains(&conn);
        self.open.retain(|open| *open != conn);
        if how == CloseHow::Polite && was_open {
            let texts = talk.and_then(|talk| self.render(&Message::Unsubscribe, &talk).ok());
            self.acts.push(Act::Farewell { conn, texts: texts.unwrap_or_default() });
        } else {
            self.acts.push(Act::Drop { conn });
        }
    }

    fn send(&mut self, conn: ConnId, message: &Message) {
        let Some(mut talk) = self.talks.remove(&conn) else { return };
        let rendered = self.render(message, &talk);
        talk.said(&self.source, message, rendered.as_ref().map_or(0, Vec::len));
        self.talks.insert(conn, talk);
        let texts = match rendered {
            Err(failure) => return self.lose(conn, failure),
            Ok(texts) => texts,
        };
        // Only a ping has a form of the protocol's own.
        let protocol = (texts.is_empty() && *message == Message::Ping).then_some(None);
        for text in texts.into_iter().map(Some).chain(protocol) {
            self.acts.push(Act::Say { conn, text });
        }
    }

    fn render(&self, message: &Message, talk: &Talk) -> Result<Vec<String>, Failure> {
        let token = self.token(talk.token()).unwrap_or_default();
        talk.render(&self.source, message, token.as_ref())
    }

    fn lose(&mut self, conn: ConnId, failure: Failure) {
        self.open.retain(|open| *open != conn);
        self.talks.remove(&conn);
        self.acts.push(Act::Drop { conn });
        let by = unbroken_core::record::Closer::Us;
        self.echoes.push_back(Input::Closed { conn, by, failure });
    }

    fn token(&self, version: Option<TokenVersion>) -> Result<Option<Secret>, Failure> {
        let Some(version) = version else { return Ok(None) };
        let token = self.tokens.get(&version).cloned().map(Some);
        token.ok_or_else(|| Failure {
            class: Class::Reauthorize,
            code: None,
            what: "token is no longer held".into(),
        })
    }
}
