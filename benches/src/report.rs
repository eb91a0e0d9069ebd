//! The table of numbers.

use serde_json::{Value, json};
use std::fmt;

/// What a number has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The number itself, at least.
    AtLeast(f64),
    /// The number itself, at most.
    AtMost(f64),
    /// Its ratio to the limit, at least.
    RatioAtLeast(f64),
    /// Its ratio to the limit, at most.
    RatioAtMost(f64),
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(x) => write!(f, "≥ {}", number(*x)),
            Self::AtMost(x) => write!(f, "≤ {}", number(*x)),
            Self::RatioAtLeast(x) => write!(f, "ratio ≥ {x}"),
            Self::RatioAtMost(x) => write!(f, "ratio ≤ {x}"),
        }
    }
}

/// One number beside its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    case: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
    limit: Option<(String, f64)>,
    /// How the number compares with the limit; for times of others, how many times as fast.
    ratio: Option<f64>,
    goal: Option<Goal>,
}

impl Row {
    /// A number.
    pub fn new(
        case: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self { case, what: what.into(), value, unit, limit: None, ratio: None, goal: None }
    }

    /// The limit of the same run, in the same unit; the ratio is number / limit.
    #[must_use]
    pub fn beside(mut self, what: impl Into<String>, limit: f64) -> Self {
        self.limit = Some((what.into(), limit));
        self.ratio = Some(self.value / limit);
        self
    }

    /// What somebody else needs for the same; the ratio is other / number, how many times as fast.
    #[must_use]
    pub fn against(mut self, what: impl Into<String>, other: f64) -> Self {
        self.limit = Some((what.into(), other));
        self.ratio = Some(other / self.value);
        self
    }

    /// What it has to reach.
    #[must_use]
    pub const fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Whether the goal is reached; `None` where there is none.
    #[must_use]
    pub fn reached(&self) -> Option<bool> {
        let ratio = self.ratio.unwrap_or(f64::NAN);
        self.goal.map(|goal| match goal {
            Goal::AtLeast(x) => self.value >= x,
            Goal::AtMost(x) => self.value <= x,
            Goal::RatioAtLeast(x) => ratio >= x,
            Goal::RatioAtMost(x) => ratio <= x,
        })
    }

    /// The row as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "case": self.case, "what": self.what, "value": self.value, "unit": self.unit,
            "limit": self.limit.as_ref().map(|(what, value)| json!({"what": what, "value": value})),
            "ratio": self.ratio, "goal": self.goal.map(|goal| goal.to_string()),
            "reached": self.reached(),
        })
    }
}

/// The head of the table.
pub const HEAD: &str = "\
| case | what | measured | beside it, in the same run | ratio | goal | |
|---|---|---:|---|---:|---|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, what, value, unit, .. } = self;
        write!(f, "| {case} | {what} | {} {unit} | ", number(*value))?;
        if let Some((what, value)) = &self.limit {
            write!(f, "{} {unit}, {what}", number(*value))?;
        }
        let ratio = self.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let goal = self.goal.map(|goal| goal.to_string()).unwrap_or_default();
        let verdict = match self.reached() {
            Some(true) => "ok",
            Some(false) => "**missed**",
            None => "",
        };
        write!(f, " | {ratio} | {goal} | {verdict} |")
    }
}

/// Three digits or more, with separators.
fn number(x: f64) -> String {
    if x.fract() != 0.0 && x < 100.0 {
        return format!("{x:.*}", if x < 10.0 { 3 } else { 1 });
    }
    let digits = format!("{x:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_its_limit_and_its_verdict() {
        let row = Row::new("cold", "pull", 1_600.4, "MB/s").beside("sha2", 1_800.0);
        let row = row.goal(Goal::RatioAtLeast(0.8));
        assert_eq!(
            row.to_string(),
            "| cold | pull | 1,600 MB/s | 1,800 MB/s, sha2 | 0.89 | ratio ≥ 0.8 | ok |"
        );
        assert_eq!(row.goal(Goal::AtMost(1_000.0)).reached(), Some(false));
    }

    #[test]
    fn numbers_have_three_digits_or_more() {
        assert_eq!(
            [0.0, 1.5, 15.25, 100.5, 1_234_567.0].map(number),
            ["0", "1.500", "15.2", "100", "1,234,567"]
        );
    }
}
