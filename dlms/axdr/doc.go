// Package axdr reads and writes the Data type of COSEM in its A-XDR encoding
// (Green Book Ed. 9, clause 9.5 "Abstract syntax", Data; IEC 61334-6).
//
// There are three ways in and one way out:
//
//   - [Cut] and [Parse] check one element completely and return it as a
//     [Data], a view into the received octets whose methods give its value.
//   - [Decoder] is a cursor with a sticky error for structures whose shape is
//     known beforehand, such as the rows of a load profile.
//   - [ParseDateTime] and its siblings read the contents of octet-strings
//     that carry a date or a time.
//   - The Append functions write.
//
// Nothing in this package allocates for a decoded value, and nothing trusts a
// received count or length: containers may be nested [MaxDepth] deep, a count
// may not exceed the octets that are left, and the work is linear in the
// length of the input.
//
// The types compact-array and delta-* are recognised but not decoded.
package axdr
