use crate::{message::Dialect, routes};

/// The routes, as logs and metrics name them: a closed set, whatever paths peers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Pull,
    Push,
    CarMirrorPull,
    CarMirrorPush,
    Names,
    Name,
    Metrics,
    Pool,
    Listen,
    Unknown,
}

impl Route {
    pub(super) const ALL: [Self; 10] = [
        Self::Pull,
        Self::Push,
        Self::CarMirrorPull,
        Self::CarMirrorPush,
        Self::Names,
        Self::Name,
        Self::Metrics,
        Self::Pool,
        Self::Listen,
        Self::Unknown,
    ];

    /// The route of a path, and its last segment where that is a root or a name.
    pub(super) fn of(path: &str) -> (Self, Option<&str>) {
        match path {
            routes::PULL => return (Self::Pull, None),
            routes::PUSH => return (Self::Push, None),
            routes::NAMES => return (Self::Names, None),
            routes::METRICS => return (Self::Metrics, None),
            _ => {}
        }
        let below = |prefix| path.strip_prefix(prefix)?.strip_prefix('/');
        [
            (Self::CarMirrorPull, routes::CAR_MIRROR_PULL),
            (Self::CarMirrorPush, routes::CAR_MIRROR_PUSH),
            (Self::Name, routes::NAMES),
            (Self::Pool, routes::POOL),
        ]
        .into_iter()
        .find_map(|(route, prefix)| Some((route.with(below(prefix)?), below(prefix))))
        .unwrap_or((Self::Unknown, None))
    }

    /// The route of what comes below it.
    fn with(self, rest: &str) -> Self {
        if self == Self::Pool && rest.contains('/') { Self::Listen } else { self }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pull => routes::PULL,
            Self::Push => routes::PUSH,
            Self::CarMirrorPull => "/dag/pull/{root}",
            Self::CarMirrorPush => "/dag/push/{root}",
            Self::Names => routes::NAMES,
            Self::Name => "/api/v0/names/{name}",
            Self::Metrics => routes::METRICS,
            Self::Pool => "/api/v0/pool/{session}",
            Self::Listen => "/api/v0/pool/{session}/{after}",
            Self::Unknown => "unknown",
        }
    }

    pub(super) const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Pull | Self::Push => Some(Dialect::Spec),
            Self::CarMirrorPull | Self::CarMirrorPush => Some(Dialect::CarMirror),
            Self::Names
            | Self::Name
            | Self::Metrics
            | Self::Pool
            | Self::Listen
            | Self::Unknown => None,
        }
    }

    /// The dialect as a label; `none` for what both have in common.
    pub(super) const fn dialect_name(self) -> &'static str {
        match self.dialect() {
            Some(Dialect::Spec) => "spec",
            Some(Dialect::CarMirror) => "car-mirror",
            None => "none",
        }
    }

    pub(super) const fn is_push(self) -> bool {
        matches!(self, Self::Push | Self::CarMirrorPush)
    }

    pub(super) const fn is_transfer(self) -> bool {
        self.dialect().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fall_into_a_closed_set() {
        for (at, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, at, "metrics count by it");
            assert_eq!(Route::of(route.name()).0, route);
        }
        assert_eq!(Route::of("/dag/pull/x"), (Route::CarMirrorPull, Some("x")));
        assert_eq!(Route::of("/dag/pullx"), (Route::Unknown, None));
        assert_eq!(Route::of("/api/v0/names/a%20b"), (Route::Name, Some("a%20b")));
    }
}
