use sim::Plan;

use crate::choices::Choices;

/// A whole transfer over a virtual network with the faults and lies that the bytes choose: what
/// may come of it is what [`Plan::check`] says.
pub fn session_faults(data: &[u8]) {
    let mut choices = Choices::new(data);
    let plan = Plan::pick(&mut |below| {
        let byte = u64::from(choices.byte());
        let more = if below > 256 { u64::from(choices.byte()) } else { 0 };
        (byte << 8 | more)
            .checked_rem(below)
            .map_or(0, |n| if below > 256 { n } else { byte % below })
    });
    let (report, held) = plan.run().expect("a transfer ends");
    plan.check(&report, &held);
}
