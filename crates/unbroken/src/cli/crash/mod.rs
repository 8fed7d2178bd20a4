//! `unbroken crash` (hidden, in the proof build alone): a service dies at each of its crash points,
//! and what is left is judged like a demo.
//!
//! A plan spreads the strikes over courses. A course is one vendor that breaks and one data
//! directory through many lives; each life is aimed at one point, and the process ends itself
//! there.

mod args;
mod course;
mod damage;
mod life;
mod mend;
mod plan;
mod report;
mod session;

pub(crate) use args::CrashArgs;
pub(crate) use session::run;
