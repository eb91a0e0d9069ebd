use axum::{
    body::Body,
    extract::{Extension, Path, Request, State},
    response::{IntoResponse, Response},
};
use carpool_core::Cid;
use carpool_mirror::{
    Session, Source,
    extension::{self, Gossips, Offer},
};
use carpool_pool::{Part, Plan};
use carpool_selector::Order;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    Server, ServerOptions, SharedStore,
    coded::{self, Choice},
    held::{self, Asked},
    observe::Observed,
    pools::Gossiping,
    refusal::Refusal,
    root_of,
    sessions::{Lease, Remembering},
    sketches::{self, Outcome},
    via::Origin,
};
use crate::{
    Error,
    body::{ChannelBody, Outgoing, channel, collect},
    coding::Wish,
    driver::{About, SourceDriver},
    message::{self, Dialect, Request as Wanted},
    routes,
};

/// `POST /api/v0/dag/pull` (HTTP §2): a status in, a CAR out, streamed depth first.
pub(super) async fn pull(
    State(server): State<Server>,
    Extension(observed): Extension<Observed>,
    request: Request,
) -> Result<Response, Refusal> {
    let takes_deltas = takes(request.headers(), routes::DELTA);
    let Offer { lost, pool, gossips, .. } = held::offer_of(request.headers()).unwrap_or_default();
    let choice = server.choice(request.headers());
    let origin = Origin::of(request.headers());
    let mut asked = read(&server, request).await?;
    let later = !asked.is_of_single_blocks() && server.fill(&asked.wanted, &origin).await?;
    asked.plan = pool.and_then(|plan| Plan::decode(&plan).ok());
    let share_of = asked.share_of(&server).await.map_err(|refusal| refusal.or_later(later))?;
    if let Some((root, cells)) = asked.cells.take() {
        match sketches::decode(&server, root, cells).await? {
            Outcome::Lacking(lacking) => asked.lacking = Some(lacking),
            Outcome::Asks(response) => return Ok(response),
        }
    }
    let session = asked.session.and_then(|name| server.sessions.lease(name));
    if let (Some(mut answer), Some((_, lease))) = (asked.answer, &session) {
        answer.memory = asked.memory(lease.memory);
        asked.answer = Some(answer);
    }
    let answer = asked.answer;
    if let Some((plan, part)) = asked.plan.as_ref().zip(part_of(gossips)) {
        asked.gossiping = server.between.pools.join(plan, part).map(Arc::new);
    }
    let takes_deltas = takes_deltas && server.options.deltas;
    let about = if takes_deltas { asked.take_about(lost) } else { None };
    let (kind, form) = Form::of(about, share_of);
    let how = (Order::DepthFirst, form, choice);
    let sent = send(&server, observed, asked, session, how).await;
    let mut response = sent.map_err(|refusal| refusal.or_later(later))?;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(answer) = answer {
        response.headers_mut().insert(extension::HEADER, held::header_of(&answer));
    }
    Ok(response)
}

/// What the sink allows this server to do in the session, if anything.
const fn part_of(gossips: Gossips) -> Option<Part> {
    match gossips {
        Gossips::No => None,
        Gossips::Minds => Some(Part::Minds),
        Gossips::TakesOver => Some(Part::TakesOver),
    }
}

/// In what form blocks go out.
enum Form {
    /// With a header that names this root, where the CAR may be one without blocks.
    Car(Option<Cid>),
    Delta(About),
}

impl Form {
    /// The media type and the form of an answer to a client that takes deltas, if there is anything in
    /// common.
    fn of(about: Option<About>, share_of: Option<Cid>) -> (&'static str, Self) {
        about
            .map_or((routes::CAR, Self::Car(share_of)), |about| (routes::DELTA, Self::Delta(about)))
    }
}

/// Whether a media type is among those that are taken by name: nobody means this one by `*/*`.
fn takes(headers: &HeaderMap, kind: &str) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|taken| {
        let mut parts = taken.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(kind));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// A request in either form; of one whose header suffices the message is only taken off the line.
async fn read(server: &Server, request: Request) -> Result<Asked, Refusal> {
    let headers = request.headers().clone();
    if held::is_extended(&headers) {
        let body = message(server, request).await?;
        return Asked::decode(body, server)?.survey(server).await?.compare_with(server).await;
    }
    if let Some(asked) = Asked::by_header(&headers, server).await? {
        let server = server.clone();
        tokio::spawn(async move { server.drain(request).await });
        return Ok(asked);
    }
    let body = message(server, request).await?;
    let asked = Asked::from(decode(server, Dialect::Spec, body)?);
    asked.with_header(&headers, server).compare_with(server).await
}

/// `GET` and `POST /dag/pull/{root}`, as car-mirror 0.1.0 has them: a `GET` without a body asks for
/// everything, breadth first as that peer sends it, without a content type.
pub(super) async fn pull_as_car_mirror(
    State(server): State<Server>,
    Path(root): Path<String>,
    Extension(observed): Extension<Observed>,
    request: Request,
) -> Result<Response, Refusal> {
    let root = root_of(&root)?;
    let get = request.method() == Method::GET;
    let choice = server.choice(request.headers());
    let origin = Origin::of(request.headers());
    let body = message(&server, request).await?;
    let wanted = if get && body.is_empty() {
        everything_below(&server, root)
    } else {
        decode(&server, Dialect::CarMirror, body)?
    };
    if wanted.want.is_empty() {
        observed.is_about(0, None);
        return Ok(StatusCode::OK.into_response());
    }
    let later = server.fill(&wanted, &origin).await?;
    let how = (Order::BreadthFirst, Form::Car(None), choice);
    let sent = send(&server, observed, wanted.into(), None, how).await;
    sent.map_err(|refusal| refusal.or_later(later))
}

async fn message(server: &Server, request: Request) -> Result<Vec<u8>, Refusal> {
    let (limits, pace) = (&server.options.limits, server.options.pace());
    Ok(collect(request.into_body(), limits.max_message_bytes, pace).await?)
}

fn decode(server: &Server, dialect: Dialect, body: Vec<u8>) -> Result<Wanted, Refusal> {
    let options = &server.options;
    let wanted = message::decode_request(dialect, body, &options.limits, options.seed);
    Ok(wanted.map_err(Error::from)?)
}

fn everything_below(server: &Server, root: Cid) -> Wanted {
    Wanted::of(&[root], server.options.seed)
}

/// The first chunk decides: with it the answer is 200, and what goes wrong later breaks the body
/// off; without one nothing that was asked for is held, which is 404 (HTTP §2.4).
async fn send(
    server: &Server,
    observed: Observed,
    asked: Asked,
    session: Option<(Session, Lease)>,
    (order, form, choice): (Order, Form, Choice),
) -> Result<Response, Refusal> {
    observed.is_about(asked.wanted.want.len(), asked.wanted.want.iter().next());
    let (options, place) = (&server.options, server.place()?);
    let (source, lease) = source(options, session, order);
    let gossiping = asked.gossiping.clone();
    let source = asked.begin(source, server)?;
    let (to, session) = oneshot::channel();
    let Choice { chose, wish } = choice;
    // What is made of differences is compressed as it is made.
    let wish = wish.filter(|_| matches!(form, Form::Car(_)));
    let mut car = stream(server, observed, (source, gossiping), form, to, (place, wish));
    if car.has_any().await? {
        let headers = coded::headers(chose, &car);
        let car = Remembering::new(car, lease.map(|lease| (lease, session)));
        return Ok((headers, Body::new(car)).into_response());
    }
    Err(Refusal::nothing_held())
}

/// A source that goes on with the session, where there is one.
fn source(
    options: &ServerOptions,
    session: Option<(Session, Lease)>,
    order: Order,
) -> (Source, Option<Lease>) {
    let (limits, seed) = (&options.limits, options.seed);
    match session {
        Some((session, lease)) => (Source::resume(session, order, limits, seed), Some(lease)),
        None => (Source::forgetful(order, limits, seed), None),
    }
}

/// The CAR as it is made; the channel holds a reader's slowness against the walk.
fn stream(
    server: &Server,
    observed: Observed,
    (source, gossiping): (Source, Option<Arc<Gossiping>>),
    form: Form,
    session: oneshot::Sender<Session>,
    (place, wish): (OwnedSemaphorePermit, Option<Wish>),
) -> ChannelBody {
    let (mut outgoing, body, alive) = channel(server.options.pace(), wish);
    let mut driver = SourceDriver::new(source, Arc::clone(&server.store), observed.progress());
    let (trails, limits) = (Arc::clone(&server.between.trails), server.options.limits.clone());
    if let Some(gossiping) = gossiping.clone() {
        driver.on_lack(Box::new(move |cid| gossiping.lacks(cid)));
    }
    tokio::task::spawn_blocking(move || {
        let _held = (alive, place);
        let sent = match form {
            Form::Car(share_of) => driver.send(share_of, &mut outgoing).and_then(|sent| {
                go_on(gossiping.as_deref(), &driver, &mut outgoing).map(|()| sent)
            }),
            Form::Delta(about) => driver.send_delta(&about, &limits, &mut outgoing),
        };
        match sent {
            Ok(sent) => {
                // Before the end of the body is seen, so that the next request finds it.
                if let Some(answered) = driver.source().take_answered() {
                    trails.keep(answered);
                }
                observed.lacks(sent.lacks);
                let _ = session.send(driver.into_source().into_session());
                if let Err(error) = outgoing.finish() {
                    observed.fails(&error.to_string());
                }
            }
            Err(error) => {
                observed.fails(&error.to_string());
                outgoing.fail(error);
            }
        }
    });
    body
}

/// Sends what others of the pool have not come to, once the share is sent.
fn go_on(
    gossiping: Option<&Gossiping>,
    driver: &SourceDriver<SharedStore>,
    outgoing: &mut Outgoing,
) -> crate::Result<()> {
    let Some(gossiping) = gossiping else { return Ok(()) };
    gossiping.finish();
    loop {
        let claimed = gossiping.claim(driver.store())?;
        if claimed.is_empty() {
            return Ok(());
        }
        driver.send_named(&claimed, outgoing)?;
    }
}
