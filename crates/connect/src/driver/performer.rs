//! Does what the machine says, and tells it what happened.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use unbroken_core::connector::{Decoded, Failure};
use unbroken_core::ids::ConnId;
use unbroken_core::machine::{CloseHow, Halt, Input, Machine, Message, Now, Output, Report};
use unbroken_core::record::Append;
use unbroken_core::time::Millis;

use crate::driver::clock::Clock;
use crate::driver::errands::{Brought, Errands};
use crate::driver::flight::Flow;
use crate::driver::log::Log;
use crate::driver::outbox::Outbox;
use crate::driver::talk::{Talk, unread};
use crate::source::Source;
use crate::transport::{Ended, SocketEvent, Sockets};

/// What to do after the machine has been obeyed.
pub(crate) enum Next {
    Wait(Option<Millis>),
    Halt(Halt),
}

pub(crate) struct Performer<L, R> {
    pub(crate) sockets: Sockets,
    pub(crate) errands: Errands,
    pub(crate) clock: Clock,
    source: Arc<Source>,
    machine: Machine,
    log: L,
    reports: R,
    outbox: Outbox,
    talks: BTreeMap<ConnId, Talk>,
    /// What performing an output brought about; the machine hears of it when it has been drained.
    echoes: VecDeque<Input>,
}

impl<L: Log, R: FnMut(Now, Report)> Performer<L, R> {
    pub(crate) fn new(source: Source, machine: Machine, log: L, reports: R) -> Self {
        let source = Arc::new(source);
        // An answer shows the present, which is another one when it is asked for again: what was
        // read and died with the process nobody can have any more. So one answer is durable before
        // the next question, which is what tells the vendor that it was taken.
        let in_flight_bytes_max = match source.connector().polls() {
            true => 0,
            false => source.limits().in_flight_bytes_max,
        };
        Self {
            sockets: Sockets::default(),
            errands: Errands::new(Arc::clone(&source)),
            clock: Clock::start(),
            outbox: Outbox::new(in_flight_bytes_max),
            talks: BTreeMap::new(),
            echoes: VecDeque::new(),
            source,
            machine,
            log,
            reports,
        }
    }

    /// Tells the machine, then does what it says until it waits. What it wrote is with the log only
    /// after [`Self::hand_over`].
    pub(crate) fn tell(&mut self, input: Input) -> Next {
        self.tell_at(self.clock.now(), input)
    }

    fn tell_at(&mut self, now: Now, input: Input) -> Next {
        if let Input::Appended { append } = &input {
            let flow = self.outbox.durable(*append);
            self.turn(flow);
        }
        self.echoes.push_back(input);
        let mut next = Next::Wait(None);
        while let Some(input) = self.echoes.pop_front() {
            self.machine.handle_input(now, input);
            next = self.drain();
            if matches!(next, Next::Halt(_)) {
                break;
            }
        }
        next
    }

    /// Tells the machine what a task brought.
    pub(crate) fn tell_brought(&mut self, brought: Brought) -> Next {
        let input = match brought {
            Brought::Input(input) => input,
            Brought::Token { version, result: Err(failure), .. } => {
                Input::TokenRefused { version, failure }
            }
            Brought::Token { version, asked_at, result: Ok(granted) } => {
                self.renew_tokens();
                let expires_at = granted.life_ms.map(|life_ms| asked_at + life_ms);
                Input::TokenReady { version, expires_at }
            }
            Brought::Socket(conn, Err(failure)) => {
                self.talks.remove(&conn);
                Input::Refused { conn, failure }
            }
            Brought::Socket(conn, Ok(socket)) => {
                self.sockets.insert(conn, socket);
                self.renew_tokens();
                if !self.sockets.is_reading() {
                    self.echoes.push_back(Input::Opened { conn });
                    return self.tell(Input::Reading { conn, resumed: false });
                }
                Input::Opened { conn }
            }
        };
        self.tell(input)
    }

    /// Hands what the machine has written since the last time over to the log. To be called before
    /// anything is waited for.
    pub(crate) fn hand_over(&mut self) {
        if let Some(append) = self.outbox.take() {
            self.log.submit(append);
        }
    }

    /// Tells the machine what came from the sockets. `None`: nothing that concerned it. What was
    /// read together came at one moment.
    pub(crate) fn tell_batch(
        &mut self,
        batch: impl Iterator<Item = (ConnId, SocketEvent)>,
    ) -> Option<Next> {
        let now = self.clock.now();
        let mut last = None;
        for (conn, event) in batch {
            let Some(next) = self.tell_event(now, conn, event) else { continue };
            let halted = matches!(next, Next::Halt(_));
            last = Some(next);
            if halted {
                break;
            }
        }
        last
    }

    fn tell_event(&mut self, now: Now, conn: ConnId, event: SocketEvent) -> Option<Next> {
        // Events of a batch that lie behind the machine's own close are nobody's.
        let talk = self.talks.get_mut(&conn)?;
        let decoded = match event {
            SocketEvent::Frame(frame) => self.source.hear(talk.stream(), conn, &frame),
            SocketEvent::Told(told) => self.source.hear_told(talk.stream(), conn, told),
            SocketEvent::Alive => Decoded::default(),
            SocketEvent::Ended(ended) => {
                self.talks.remove(&conn);
                self.source.lost(conn, &ended);
                let failure = self.source.ended(&ended);
                if let Some(decoded) = unread(&ended) {
                    let next = self.tell_frame(now, conn, decoded);
                    if matches!(next, Next::Halt(_)) {
                        return Some(next);
                    }
                }
                return Some(self.tell_at(now, Input::Closed { conn, by: ended.by, failure }));
            }
        };
        if talk.is_whole() {
            return Some(self.tell_frame(now, conn, decoded));
        }
        let mut next = None;
        for decoded in talk.pass(decoded) {
            next = Some(self.tell_frame(now, conn, decoded));
            if matches!(next, Some(Next::Halt(_))) {
                break;
            }
        }
        next
    }

    fn tell_frame(&mut self, now: Now, conn: ConnId, decoded: Decoded) -> Next {
        if let Some(talk) = self.talks.get_mut(&conn) {
            talk.heard(&decoded);
        }
        self.tell_at(now, Input::Frame { conn, decoded })
    }

    /// Hands the newest token over on open sockets, where the vendor takes it there.
    fn renew_tokens(&mut self) {
        let Some((version, token)) = self.errands.newest_token() else { return };
        let old = |talk: &Talk| talk.token().is_some_and(|held| held < version);
        let stale: Vec<ConnId> = self
            .sockets
            .conns()
            .into_iter()
            .filter(|conn| self.talks.get(conn).is_some_and(old))
            .collect();
        let asks = self.source.asks_by_itself();
        for conn in stale {
            let text = self.source.renewal(&token).ok().flatten();
            if text.is_none() && !asks {
                return;
            }
            self.sockets.renew(conn, &token);
            if let Some(talk) = self.talks.get_mut(&conn) {
                talk.renewed(version);
            }
            if text.is_some()
                && let Some(Err(ended)) = self.sockets.send(conn, text)
            {
                self.broken(conn, &ended);
            }
        }
    }

    /// Ends everything that is under way.
    pub(crate) async fn finish(self) {
        let Self { sockets, errands, .. } = self;
        drop(sockets);
        errands.finish().await;
    }

    fn drain(&mut self) -> Next {
        loop {
            match self.machine.poll_output() {
                Output::Wait { deadline, .. } => return Next::Wait(deadline),
                Output::Halt(halt) => return Next::Halt(halt),
                output => self.perform(output),
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Authorize { version } => {
                self.errands.authorize(version, self.clock.now().at);
            }
            Output::FetchPage { request, stream, what, keys, token } => {
                self.errands.fetch(request, stream, what, keys, token);
            }
            Output::FetchHistory { request, stream, what, token } => {
                self.errands.ask_history(request, stream, what, token);
            }
            Output::Open { conn, stream, token, after } => {
                self.talks.insert(conn, Talk::new(stream.clone(), token));
                self.errands.open(conn, stream, after, token);
            }
            Output::Close { conn, how } => self.close(conn, how),
            Output::Send { conn, message } => self.send(conn, message),
            Output::Append(append) => self.append(append),
            Output::Report(report) => (self.reports)(self.clock.now(), report),
            Output::Halt(_) | Output::Wait { .. } => {}
        }
    }

    fn append(&mut self, append: Append) {
        let (full, flow) = self.outbox.push(append);
        if let Some(full) = full {
            self.log.submit(full);
        }
        self.turn(flow);
    }

    fn turn(&mut self, flow: Flow) {
        let Some(resumed) = flow.turn() else { return };
        self.sockets.set_reading(resumed);
        let conns = self.sockets.conns();
        self.echoes.extend(conns.into_iter().map(|conn| Input::Reading { conn, resumed }));
    }

    fn close(&mut self, conn: ConnId, how: CloseHow) {
        self.errands.give_up(conn);
        let talk = self.talks.remove(&conn).filter(Talk::is_subscribed);
        let Some(socket) = self.sockets.remove(conn) else { return };
        if how == CloseHow::Polite {
            let farewell = talk.map(|talk| self.render(&Message::Unsubscribe, &talk));
            let farewell = farewell.and_then(Result::ok).unwrap_or_default();
            farewell.iter().for_each(|text| self.source.said(conn, text));
            self.errands.farewell(socket, farewell);
        }
    }

    fn send(&mut self, conn: ConnId, message: Message) {
        let Some(mut talk) = self.talks.remove(&conn) else { return };
        let rendered = self.render(&message, &talk);
        talk.said(&self.source, &message, rendered.as_ref().map_or(0, Vec::len));
        self.talks.insert(conn, talk);
        let texts = match rendered {
            Err(failure) => return self.lose(conn, failure),
            Ok(texts) => texts,
        };
        // Only a ping has a form of the protocol's own.
        let protocol = (texts.is_empty() && message == Message::Ping).then_some(None);
        texts.iter().for_each(|text| self.source.said(conn, text));
        for text in texts.into_iter().map(Some).chain(protocol) {
            if let Some(Err(ended)) = self.sockets.send(conn, text) {
                return self.broken(conn, &ended);
            }
        }
    }

    fn render(&self, message: &Message, talk: &Talk) -> Result<Vec<String>, Failure> {
        let token = self.errands.token(talk.token()).unwrap_or_default();
        talk.render(&self.source, message, token.as_ref())
    }

    fn broken(&mut self, conn: ConnId, ended: &Ended) {
        self.sockets.remove(conn);
        self.talks.remove(&conn);
        let failure = self.source.ended(ended);
        self.echoes.push_back(Input::Closed { conn, by: ended.by, failure });
    }

    fn lose(&mut self, conn: ConnId, failure: Failure) {
        self.sockets.remove(conn);
        self.talks.remove(&conn);
        let by = unbroken_core::record::Closer::Us;
        self.echoes.push_back(Input::Closed { conn, by, failure });
    }
}
