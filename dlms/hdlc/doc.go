// Package hdlc is the HDLC based data link layer of DLMS/COSEM (IEC 62056-46;
// Green Book Ed. 9, clause 8): frame format type 3, the parameters of SNRM and
// UA, and the state of a primary station.
//
// Nothing here reads, writes, waits or looks at a clock: octets go in, octets
// and events come out. Whoever owns the line appends frames to a buffer of its
// own, cuts received ones out of another, and decides when to give up waiting.
package hdlc
