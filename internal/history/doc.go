// Package history knows which rows of a profile are new, and how to ask for
// them: pure, the time is an argument.
//
// A profile is read in answers, each of which begins a little before what is
// known already, so that the row that was passed on last, the anchor, has to be
// in it. What follows the anchor in the order of the meter's buffer is new,
// whatever its time: a clock that was set back does not hide rows. So is what
// lies above the time up to which everything was in an answer before. The anchor
// is missing if the meter has dropped it since.
package history
