//! What goes over the line of one source, and in which order.

use carpool_core::Cid;
use carpool_pool::{Member, SourceId};
use std::collections::{HashSet, VecDeque};

use super::source::{Behaviour, Job};

pub(super) struct Line {
    pub(super) behaviour: Behaviour,
    pub(super) id: Option<SourceId>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) busy: bool,
    pub(super) dead: bool,
    /// Requests that the sink does not read.
    pub(super) paused: HashSet<u64>,
    pub(super) sent: u64,
    pub(super) random: u64,
    /// Its part in the session.
    pub(super) member: Option<Member>,
}

impl Line {
    /// Requests are answered one after another, but streams side by side; what is not read waits.
    pub(super) fn turn(&mut self) {
        let first = self.jobs.front().is_some_and(|job| job.streams);
        if first && let Some(job) = self.jobs.pop_front() {
            let at = self.jobs.iter().take_while(|job| job.streams).count();
            self.jobs.insert(at, job);
        }
        let read = self.jobs.iter().position(|job| !self.paused.contains(&job.request));
        if let Some(job) = read.and_then(|at| self.jobs.remove(at)) {
            self.jobs.push_front(job);
        }
    }
}

/// The next block of a request, which a source that gossips decides upon when its turn comes.
pub(super) fn next_of(
    job: &mut Job,
    member: &mut Option<Member>,
    holds: &dyn Fn(&Cid) -> bool,
) -> Option<Cid> {
    let (Some(pull), Some(member)) = (job.pull, member) else { return job.blocks.pop_front() };
    while let Some(met) = job.walk.pop_front() {
        if !met.here {
            member.handle_lack(pull, &met.cid);
        } else if member.is_mine(pull, &met.cid) && !met.hidden {
            return Some(met.cid);
        }
    }
    member.handle_sent(pull);
    while job.blocks.is_empty() {
        let some = member.candidates(pull);
        if some.is_empty() {
            member.handle_closed(pull);
            return None;
        }
        let here: Vec<Cid> = some.into_iter().filter(|cid| holds(cid)).collect();
        job.blocks.extend(member.promise(pull, &here));
    }
    job.blocks.pop_front()
}
