//! What a client does as one source of a pool.

use carpool_bloom::{Filter, Params};
use carpool_core::Cid;
use carpool_mirror::{
    Status,
    extension::{self, Gossips, Offer, Plans, Scope},
};
use carpool_pool::{Ask, Form, Kind, Part, SESSION_ID_BYTES};
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use std::{
    sync::{PoisonError, atomic::Ordering::Relaxed},
    time::Instant,
};

use super::{Client, Head, RequestBody, full, pull::TAKES_DELTAS, speech::pull_path};
use crate::{
    Error, Result,
    body::collect,
    message::{self, Dialect, Kind as Message},
    progress::add,
    routes,
    said::{self, Said},
};

/// How often the filter of what waits hides another block.
const HIDES_BY_MISTAKE: f64 = 1e-6;

/// What was found out about a source before it is asked for anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hello {
    pub(crate) kind: Kind,
    /// Microseconds; 0 is unknown.
    pub(crate) rtt: u64,
    /// Bytes a second; 0 is unknown.
    pub(crate) rate: u64,
}

impl Client {
    /// Finds out what the server is: one request, and another one where it does not read the extension.
    pub(crate) async fn hello(&self, root: Cid) -> Result<Hello> {
        let begun = Instant::now();
        let response = self.in_time(Method::HEAD, routes::NAMES, None, full("".into())).await?;
        let spent = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(self.refusal(response).await);
        }
        let plans = *self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = match plans {
            Plans::Gossips => Kind::GOSSIPING,
            Plans::Shares => Kind::AWARE,
            Plans::No if self.is_extended() || self.speaks_car_mirror(root).await? => Kind::NAMED,
            Plans::No => Kind::PLAIN,
        };
        let connected = Some(self.progress.connected.load(Relaxed)).filter(|micros| *micros > 0);
        let rate = self.measured_rate().unwrap_or(0);
        Ok(Hello { kind, rtt: connected.unwrap_or(spent), rate })
    }

    /// Whether the server has car-mirror's route. One that has it and not the DAG says so in words.
    async fn speaks_car_mirror(&self, root: Cid) -> Result<bool> {
        if self.options.dialect.is_some() {
            return Ok(self.speech.dialect() == Dialect::CarMirror);
        }
        let path = pull_path(Dialect::CarMirror, &root);
        let body = full(alone(&[root], &self.options.limits)?);
        let response = self.in_time(Method::POST, &path, Some(routes::DAG_CBOR), body).await?;
        let status = response.status();
        let speaks = status.is_success() || {
            let said = collect(response.into_body(), 4 << 10, self.options.pace()).await;
            status == StatusCode::NOT_FOUND && said.is_ok_and(|said| !said.is_empty())
        };
        self.speech.know(if speaks { Dialect::CarMirror } else { Dialect::Spec });
        Ok(speaks)
    }

    async fn in_time(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: RequestBody,
    ) -> Result<Response<Incoming>> {
        let sent = self.send(method, path, kind, body);
        let answer = tokio::time::timeout(self.options.stall_timeout, sent).await;
        answer.unwrap_or_else(|_| Err(Error::Cut("no answer in time".into())))
    }

    /// Says something in the session of a pool, which the server has to have open.
    pub(crate) async fn say(&self, id: &[u8; SESSION_ID_BYTES], message: Vec<u8>) -> Result<()> {
        let sent =
            self.in_time(Method::POST, &session_path(id), None, full(message.into())).await?;
        if sent.status().is_success() { Ok(()) } else { Err(self.refusal(sent).await) }
    }

    /// What the server said in the session of a pool: the number of the next message, and the messages from the
    /// number `after` on, sealed. Where there is none it answers when there is one, after ten seconds, or when no pull
    /// of the session is under way any more.
    pub(crate) async fn listen(
        &self,
        id: &[u8; SESSION_ID_BYTES],
        after: u64,
    ) -> Result<(u64, Vec<Vec<u8>>)> {
        let path = format!("{}/{after}", session_path(id));
        let sent = self.send(Method::GET, &path, None, full("".into()));
        let patience = self.options.stall_timeout + said::WAIT;
        let answer = tokio::time::timeout(patience, sent).await;
        let response = answer.unwrap_or_else(|_| Err(Error::Cut("no answer in time".into())))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let body = collect(response.into_body(), said::MAX_BYTES, self.options.pace()).await?;
        let Said { next, messages } = Said::decode(body).map_err(Error::Pool)?;
        Ok((next, messages.into_iter().map(Into::into).collect()))
    }

    /// Asks for blocks of the DAG below `root`, as a pool's sink does. `held` are roots that are held with all
    /// that lies below them.
    pub(crate) async fn ask(
        &self,
        root: Cid,
        held: &[Cid],
        ask: Ask,
    ) -> Result<Response<Incoming>> {
        let Ask { want, have, form, part, .. } = ask;
        let gossips = gossips_of(part);
        add(&self.progress.rounds, 1);
        let (dialect, extended) = (self.speech.dialect(), self.is_extended());
        let path = pull_path(dialect, &root);
        let (kind, offer, message) = if extended {
            let (offer, request) = asked(root, held, want, &form, gossips);
            let have = filter_of(&have, &self.options.limits);
            let request = extension::Request { have, ..request };
            (extension::CONTENT_TYPE, offer, request.into())
        } else {
            let status = self.plain_status(dialect, want, &form)?;
            let message = message::encode(dialect, Message::PullRequest, &status);
            (routes::DAG_CBOR, None, message)
        };
        let coding = self.accepts();
        // What is asked for by name goes as it is: it is what no delta brought.
        let deltas = extended && form != Form::Named && !held.is_empty() && self.takes_deltas(held);
        let accept = deltas.then_some(TAKES_DELTAS);
        let head = Head { content_type: Some(kind), offer: offer.as_ref(), coding, accept };
        let response = self.send_headed(Method::POST, &path, head, full(message)).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// To a server without the extension. A filter that hides everything leaves what is named, which no filter
    /// hides.
    fn plain_status(&self, dialect: Dialect, want: Vec<Cid>, form: &Form) -> Result<Status> {
        let exact = *form == Form::Named && dialect == Dialect::CarMirror;
        let have = if exact { hides_all(&self.options.limits)? } else { None };
        Ok(Status { want, have })
    }
}

/// A request in the extension's form, and what its header says.
fn asked(
    root: Cid,
    held: &[Cid],
    want: Vec<Cid>,
    form: &Form,
    gossips: Gossips,
) -> (Option<Offer>, extension::Request) {
    let want = if want == [root] { Vec::new() } else { want };
    let request = extension::Request { root: Some(root), want, ..extension::Request::default() };
    match form {
        Form::Named => (None, extension::Request { scope: Scope::Named, ..request }),
        Form::Share(plan) => {
            let offer = Offer { pool: Some(plan.encode()), gossips, ..Offer::default() };
            (Some(offer), extension::Request { held: held.to_vec(), ..request })
        }
        Form::Below | _ => (None, extension::Request { held: held.to_vec(), ..request }),
    }
}

/// A filter of blocks that wait: what it hides by mistake is asked for by name in the end, and a chain stands still
/// until then.
fn filter_of(have: &[Cid], limits: &carpool_core::Limits) -> Option<Filter> {
    let params = Params::fitting(have.len() as u64, HIDES_BY_MISTAKE, limits.max_bloom_bytes);
    let mut filter = Filter::new(params);
    filter.insert_all(have.iter().map(Cid::to_bytes));
    (!have.is_empty()).then_some(filter)
}

const fn gossips_of(part: Option<Part>) -> Gossips {
    match part {
        None => Gossips::No,
        Some(Part::Minds) => Gossips::Minds,
        Some(Part::TakesOver) => Gossips::TakesOver,
    }
}

fn session_path(id: &[u8; SESSION_ID_BYTES]) -> String {
    format!("{}/{:032x}", routes::POOL, u128::from_be_bytes(*id))
}

fn hides_all(limits: &carpool_core::Limits) -> Result<Option<Filter>> {
    let limits = message::bloom_limits(limits);
    let filter = Filter::from_wire(vec![0xff], 1, &limits);
    filter.map_err(|error| Error::Message(message::MessageError::Bloom(error)))
}

/// A request to car-mirror for these blocks alone.
fn alone(want: &[Cid], limits: &carpool_core::Limits) -> Result<bytes::Bytes> {
    let status = Status { want: want.to_vec(), have: hides_all(limits)? };
    Ok(message::encode(Dialect::CarMirror, Message::PullRequest, &status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientOptions, Server, ServerOptions};
    use carpool_core::{Block, codec};
    use carpool_pool::{Gossip, Member, Part, Plan, Provided};
    use carpool_store::{BlockStore, MemoryStore};
    use std::sync::Arc;

    const SESSION: [u8; 16] = [5; 16];

    async fn client(options: ServerOptions, token: Option<&str>, root: &Block) -> Client {
        let store = MemoryStore::new();
        store.put_many(std::slice::from_ref(root)).expect("memory takes blocks");
        let server = Server::new(Arc::new(store), options);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
        let mut options = ClientOptions::default();
        let headers = token.map(|token| ("authorization".into(), format!("Bearer {token}")));
        options.headers.extend(headers);
        Client::new(&url, options).expect("a good URL")
    }

    #[tokio::test]
    async fn a_sink_hears_a_server_and_is_heard() {
        let root = Block::new(codec::RAW, "root".into());
        let client = client(ServerOptions::default(), None, &root).await;
        let view = Provided::new(&SESSION);
        let id = *view.key().id();
        let closed = client.listen(&id, 0).await.expect_err("no such session is open");
        assert!(
            matches!(&closed, Error::Status { status, .. } if *status == StatusCode::NOT_FOUND)
        );
        assert_eq!(client.hello(*root.cid()).await.expect("an answer").kind, Kind::GOSSIPING);
        let plan = Plan::new(SESSION, 0, 0, 0, vec![1]).expect("good");
        let form = Form::Share(plan);
        let ask = Ask {
            request: 0,
            source: 0,
            want: vec![*root.cid()],
            have: vec![],
            form,
            part: Some(Part::TakesOver),
        };
        let answer = client.ask(*root.cid(), &[], ask);
        let body = answer.await.expect("a share").into_body();
        collect(body, 1 << 10, client.pace()).await.expect("one block");
        let rounds = client.progress().totals().rounds;
        let (next, messages) = client.listen(&id, 0).await.expect("open");
        assert!(next >= 2 && messages.len() as u64 == next);
        let mut sink = Member::new(1, view.clone());
        messages.iter().for_each(|message| sink.handle_message(message).expect("sealed"));
        assert!(sink.view().is_done(0, 0));
        client.say(&id, Gossip::hello(1, 0).encode(view.key())).await.expect("heard");
        let forged = client.say(&id, vec![1; 99]).await.expect_err("forged");
        assert!(matches!(forged, Error::Refused { status: StatusCode::FORBIDDEN, .. }));
        let (last, answer) = client.listen(&id, next).await.expect("open");
        assert_eq!((last, answer.len()), (next + 2, 2), "a hello and all of it");
        assert_eq!(client.progress().totals().rounds, rounds);
        let other = Plan::new(SESSION, 0, 0, 0, vec![1]).expect("good");
        assert!(sink.open(other, Part::Minds).is_err(), "it is at another place");
    }

    #[tokio::test]
    async fn who_has_no_token_hears_nothing() {
        let root = Block::new(codec::RAW, "root".into());
        let options = ServerOptions { token: Some("secret".into()), ..ServerOptions::default() };
        let client = client(options, Some("guess"), &root).await;
        let id = *Provided::new(&SESSION).key().id();
        let refused = client.listen(&id, 0).await.expect_err("no token");
        assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    }
}
