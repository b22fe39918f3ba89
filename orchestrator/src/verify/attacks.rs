//! Ways in which a verdict could be wrong though its rule looks right: evidence that is empty, doubled, contradictory or
//! of something else. None of it may pass, and none of it may fail where the truth is unknown.

mod egress;
mod gateway;
mod portability;
mod sandbox;
mod traces;
