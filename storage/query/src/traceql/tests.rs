mod builder;
mod complete;
#[cfg(feature = "evaluate")]
mod conformance;
#[cfg(feature = "evaluate")]
mod evaluate;
#[cfg(feature = "evaluate")]
mod fixture;
mod generate;
#[cfg(feature = "evaluate")]
mod metrics;
mod parse;
#[cfg(feature = "evaluate")]
mod prefilter;
mod problems;
