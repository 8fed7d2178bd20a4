//! Moves the bytes of one connection as its lanes decide.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, sink};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::counts::count;
use super::door::Path;
use super::fault::{Break, Way};
use super::line::{Ending, Line};

/// Bytes that may be under way in each direction; a reader that is slower stops the writer.
const ROAD_BYTES_MAX: usize = 1 << 20;
/// How long a connection that was closed in good order waits for the other side to close too.
const FAREWELL: Duration = Duration::from_secs(2);

/// One connection, until one side ends it or it breaks.
pub(crate) async fn carry(mut client: TcpStream, path: &Path, line: &Line) {
    sleep(Duration::from_millis(path.weather().connect_ms)).await;
    let Ok(mut server) = TcpStream::connect(path.to()).await else {
        count(&line.counters().unreachable);
        let _ = client.set_zero_linger();
        return;
    };
    // A socket that cannot be told is gone already.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let ending = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let (up, down) = (Road { way: Way::Up, path, line }, Road { way: Way::Down, path, line });
        let (up, down) = (up.pass(from_client, to_server), down.pass(from_server, to_client));
        tokio::select! {
            // The break is looked at first: what came after it must not pass.
            biased;
            ending = line.until_ended() => Some(ending),
            ended = async { tokio::try_join!(up, down) } => ended.err(),
        }
    };
    match ending {
        Some(Ending::Reset) => {
            let _ = client.set_zero_linger();
            let _ = server.set_zero_linger();
        }
        Some(Ending::Finish) => {
            tokio::join!(take_leave(&mut client), take_leave(&mut server));
        }
        // Each side has closed, and has been told so.
        None => {}
    }
}

/// A connection that is accepted, read, and never answered, until the client gives up.
pub(crate) async fn ignore(mut client: TcpStream, line: &Line) {
    let mut nowhere = sink();
    tokio::select! {
        _ = line.until_ended() => {
            let _ = client.set_zero_linger();
        }
        _ = tokio::io::copy(&mut client, &mut nowhere) => {}
    }
}

/// A FIN; what still comes is read, since a close with unread bytes would be a reset.
async fn take_leave(socket: &mut TcpStream) {
    if socket.shutdown().await.is_ok() {
        let _ = timeout(FAREWELL, tokio::io::copy(socket, &mut sink())).await;
    }
}

/// One direction.
struct Road<'a> {
    way: Way,
    path: &'a Path,
    line: &'a Line,
}

/// Bytes under way.
struct Parcel {
    at: Instant,
    bytes: Bytes,
    then: Option<Break>,
    is_cut_short: bool,
}

impl Road<'_> {
    /// Moves bytes until the source has ended and all has passed, or the connection must end.
    async fn pass(
        self,
        mut source: impl AsyncRead + Unpin,
        mut target: impl AsyncWrite + Unpin,
    ) -> Result<(), Ending> {
        let began = Instant::now();
        let mut queue: VecDeque<Parcel> = VecDeque::new();
        let mut queued_bytes = 0;
        let mut has_begun = false;
        let mut has_ended = false;
        loop {
            let due = queue.front().map(|parcel| parcel.at);
            if due.is_none() && has_ended {
                break;
            }
            let has_room = !has_ended && queued_bytes < ROAD_BYTES_MAX;
            let mut buffer = BytesMut::with_capacity(self.path.weather().chunk_bytes_max());
            tokio::select! {
                read = source.read_buf(&mut buffer), if has_room => {
                    let bytes = read.map_err(|_| Ending::Reset)?;
                    has_ended = bytes == 0;
                    if !has_ended {
                        self.look_at_first(&mut has_begun, &buffer);
                        let parcel = self.parcel(began, buffer.freeze());
                        queued_bytes += parcel.bytes.len();
                        queue.push_back(parcel);
                    }
                }
                () = sleep_until(due.unwrap_or(began)), if due.is_some() => {
                    let Some(parcel) = queue.pop_front() else { continue };
                    queued_bytes -= parcel.bytes.len();
                    self.deliver(parcel, &mut target).await?;
                }
            }
        }
        self.end(&mut target).await
    }

    fn look_at_first(&self, has_begun: &mut bool, bytes: &[u8]) {
        let is_first = !std::mem::replace(has_begun, true);
        if is_first && self.way == Way::Up {
            self.path.handle_first(self.line, bytes);
        }
    }

    fn parcel(&self, began: Instant, mut bytes: Bytes) -> Parcel {
        let mut lane = self.line.lane(self.way);
        let came = bytes.len();
        let fate = lane.handle_bytes(began.elapsed(), came, &self.path.weather());
        bytes.truncate(fate.passing);
        let is_cut_short = fate.then.is_some() && (1..came).contains(&fate.passing);
        Parcel { at: began + fate.at, bytes, then: fate.then, is_cut_short }
    }

    async fn deliver(
        &self,
        parcel: Parcel,
        target: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Ending> {
        // What was under way when the connection fell silent is lost as well.
        if self.line.lane(self.way).is_silent() {
            return Ok(());
        }
        target.write_all(&parcel.bytes).await.map_err(|_| Ending::Reset)?;
        self.line.counters().count_bytes(self.way, parcel.bytes.len());
        if let Some(how) = parcel.then {
            if parcel.is_cut_short {
                count(&self.line.counters().cut_short);
            }
            self.line.end_by(how);
            if matches!(how, Break::Reset | Break::Finish) {
                // The end has been ordered: nothing more may pass until it is carried out.
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }

    /// The source has closed.
    async fn end(&self, target: &mut (impl AsyncWrite + Unpin)) -> Result<(), Ending> {
        match self.way {
            // The client has left a connection that no longer works: it is over.
            Way::Up if self.line.is_silent() => return Err(Ending::Reset),
            // The client must not hear that the server is gone.
            Way::Down if self.line.lane(Way::Down).is_silent() => std::future::pending().await,
            // A target that cannot be told is gone already.
            Way::Up | Way::Down => drop(target.shutdown().await),
        }
        Ok(())
    }
}
