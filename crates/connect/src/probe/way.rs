//! The way to each origin: its name, its address, its certificate.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use unbroken_core::connector::Class;

use crate::probe::certificate::Certificate;
use crate::probe::observe::Teller;
use crate::probe::step::{Blame, Step};
use crate::source::Source;
use crate::transport::dialer::Pipe;
use crate::transport::survey::{Shaken, reach, resolve, shake};
use crate::transport::{Origin, Proxy, ProxyFault, TransportError};

/// A certificate that ends sooner is worth a word: renewals take people some days.
const DAYS_LEFT_MIN: i64 = 14;

/// Which origins cannot be reached.
#[derive(Debug, Default)]
pub(super) struct Ways {
    broken: Vec<(Origin, &'static str)>,
    /// The service that names hosts has named none.
    unnamed: bool,
}

impl Ways {
    /// Why nothing can be asked of an origin, if nothing can.
    pub(super) fn obstacle(&self, origin: Option<&Origin>) -> Option<String> {
        if origin.is_none() && self.unnamed {
            return Some("the host is not known: see `discovery`".to_owned());
        }
        let (origin, step) = self.broken.iter().find(|(broken, _)| Some(broken) == origin)?;
        Some(format!("there is no way to {origin}: see `{step}`"))
    }
}

/// Hosts and ports that were gone to: encrypted or not, and the step at which the way ended.
type Been = Vec<(String, u16, bool, Option<&'static str>)>;

/// Goes to every origin of the source, each host and port once. Where a service names the hosts, it
/// comes first and is asked.
pub(super) async fn survey(source: &Source, teller: &mut Teller<'_>) -> Ways {
    let (mut ways, mut been) = (Ways::default(), Been::new());
    if let Some(service) = source.places().service() {
        visit(source, service, &mut ways, &mut been, teller).await;
        ways.unnamed = !hosts(source, &ways, service, teller).await;
    }
    let stream = Some(source.stream_origin().clone());
    let origins = [source.token_origin(), source.api_origin(), stream];
    for origin in origins.iter().flatten() {
        visit(source, origin, &mut ways, &mut been, teller).await;
    }
    ways
}

async fn visit(
    source: &Source,
    origin: &Origin,
    ways: &mut Ways,
    been: &mut Been,
    teller: &mut Teller<'_>,
) {
    let (host, port) = origin.host_and_port();
    let encrypted = origin.is_encrypted();
    let same = been.iter().find(|(h, p, e, _)| (h, *p, *e) == (&host, port, encrypted));
    let ended = match same {
        Some((.., ended)) => *ended,
        None => {
            let ended = go(source, origin, teller).await;
            been.push((host, port, encrypted, ended));
            ended
        }
    };
    if let Some(step) = ended {
        ways.broken.push((origin.clone(), step));
    }
}

/// Asks the service for the hosts; whether it has named them.
async fn hosts(source: &Source, ways: &Ways, service: &Origin, teller: &mut Teller<'_>) -> bool {
    teller.begin();
    if let Some(obstacle) = ways.obstacle(Some(service)) {
        teller.tell(Step::skipped("discovery", obstacle));
        return false;
    }
    let failure = match source.places().api(source.http()).await {
        Ok(api) => {
            let token = source.token_origin().map(|token| format!(", tokens at {token}"));
            let what = format!("the API is at {api}{}", token.unwrap_or_default());
            teller.tell(Step::good("discovery", what));
            return true;
        }
        Err(failure) => failure,
    };
    teller.tell(match failure.class {
        Class::Fatal => {
            let hint = "compare `[source.discovery]` with what your vendor says of its hosts";
            Step::bad("discovery", failure.what.as_str(), Blame::Configuration, hint)
        }
        _ => Step::failed("discovery", &failure),
    });
    false
}

/// The step at which the way ended, if it did.
async fn go(source: &Source, origin: &Origin, teller: &mut Teller<'_>) -> Option<&'static str> {
    let limit = Duration::from_millis(source.timing().connect_ms);
    let (host, port) = origin.host_and_port();
    let pipe = match source.dialer().proxies().of(origin) {
        Some(proxy) => through(source, proxy, &host, port, teller).await,
        None => directly(&host, port, limit, teller).await,
    };
    let pipe = match pipe {
        Ok(pipe) => pipe,
        Err(step) => return Some(step),
    };
    if !origin.is_encrypted() {
        let what = format!("{origin} is not encrypted");
        teller.tell(Step::skipped("tls", what));
        return None;
    }
    teller.begin();
    let shaken = match timeout(limit, shake(source.dialer().tls(), &host, pipe)).await {
        Ok(shaken) => shaken,
        Err(_) => {
            let limit_ms = source.timing().connect_ms;
            Err(TransportError::Timeout { step: "TLS", limit_ms })
        }
    };
    match shaken {
        Ok(shaken) => {
            teller.tell(tls(&host, &shaken, teller.now_s()));
            None
        }
        Err(error) => {
            teller.tell(untrusted(&host, &error));
            Some("tls")
        }
    }
}

/// A tunnel through a proxy, or the step at which the way ended.
async fn through(
    source: &Source,
    proxy: &Proxy,
    host: &str,
    port: u16,
    teller: &mut Teller<'_>,
) -> Result<Box<dyn Pipe>, &'static str> {
    teller.begin();
    let limit_ms = source.timing().connect_ms;
    let tunnel = proxy.tunnel(source.dialer().tls(), host, port);
    let opened = match timeout(Duration::from_millis(limit_ms), tunnel).await {
        Ok(opened) => opened,
        Err(_) => {
            let fault = ProxyFault::Timeout { limit_ms };
            Err(TransportError::Proxy { proxy: proxy.to_string(), fault, source: None })
        }
    };
    match opened {
        Ok(pipe) => {
            teller.tell(Step::good("proxy", format!("{host}:{port} through {proxy}")));
            Ok(pipe)
        }
        Err(error) => {
            let hint = error.hint().unwrap_or_default();
            teller.tell(Step::bad("proxy", error.to_string(), Blame::Network, hint));
            Err("proxy")
        }
    }
}

/// A connection to one of the host's addresses, or the step at which the way ended.
async fn directly(
    host: &str,
    port: u16,
    limit: Duration,
    teller: &mut Teller<'_>,
) -> Result<Box<dyn Pipe>, &'static str> {
    let addresses = match dns(host, port, limit, teller).await {
        Ok(addresses) => addresses,
        Err(step) => {
            teller.tell(step);
            return Err("dns");
        }
    };
    teller.begin();
    let (address, tcp) = match tcp(&addresses, limit).await {
        Ok(reached) => reached,
        Err(why) => {
            let hint =
                format!("is port {port} of {host} open from here? Ask your network's people");
            let what = format!("{host}:{port}: {why}");
            teller.tell(Step::bad("tcp", what, Blame::Network, hint));
            return Err("tcp");
        }
    };
    teller.tell(Step::good("tcp", format!("{host}:{port} at {}", address.ip())));
    Ok(Box::new(tcp))
}

async fn dns(
    host: &str,
    port: u16,
    limit: Duration,
    teller: &mut Teller<'_>,
) -> Result<Vec<SocketAddr>, Step> {
    teller.begin();
    if let Ok(ip) = host.parse::<IpAddr>() {
        teller.tell(Step::skipped("dns", format!("{host} is an address already")));
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let bad = |what: String| {
        let hint = "is the name right? Does this machine have a name server?";
        Step::bad("dns", what, Blame::Configuration, hint)
    };
    match timeout(limit, resolve(host, port)).await {
        Ok(Ok(addresses)) => {
            let mut shown: Vec<_> = addresses.iter().map(|at| at.ip().to_string()).collect();
            shown.dedup();
            teller.tell(Step::good("dns", format!("{host}: {}", shown.join(", "))));
            Ok(addresses)
        }
        Ok(Err(_)) => Err(bad(format!("{host} has no address"))),
        Err(_) => Err(bad(format!("{host}: no name server answered in {} s", limit.as_secs()))),
    }
}

async fn tcp(addresses: &[SocketAddr], limit: Duration) -> Result<(SocketAddr, TcpStream), String> {
    match timeout(limit, reach(addresses)).await {
        Ok(reached) => reached.map_err(|error| error.kind().to_string()),
        Err(_) => Err(format!("no answer in {} ms", limit.as_millis())),
    }
}

fn tls(host: &str, shaken: &Shaken, now_s: i64) -> Step {
    let version = shaken.version;
    let read = shaken.certificate.as_deref().and_then(Certificate::read);
    let Some(certificate) = read else {
        return Step::good("tls", format!("{host}: {version}"));
    };
    let days = (certificate.ends_at_s - now_s) / (24 * 3_600);
    let issuer = certificate.issuer.as_deref().unwrap_or("an authority without a name");
    let what = format!("{host}: {version}, issued by {issuer}, {days} days left");
    if days < DAYS_LEFT_MIN {
        let hint = "the certificate ends soon: tell whoever runs this host";
        return Step::bad("tls", what, Blame::Vendor, hint);
    }
    Step::good("tls", what)
}

fn untrusted(host: &str, error: &TransportError) -> Step {
    let cause = match error {
        TransportError::Certificate { source, .. } => format!(": {source}"),
        _ => String::new(),
    };
    let (blame, hint) = match error {
        TransportError::Certificate { .. } => (
            Blame::Configuration,
            "if a private authority or a proxy that opens TLS stands before the vendor, name its \
             certificate as `ca_file`",
        ),
        _ => (Blame::Network, "something on the way ends TLS: a proxy, or a port without TLS"),
    };
    Step::bad("tls", format!("{host}: {error}{cause}"), blame, hint)
}
