// Package dlms reads DLMS/COSEM meters: it is the client's side of an
// association in logical-name referencing, over HDLC (IEC 62056-46) or the
// wrapper (IEC 62056-47).
//
// A [Conn] is one link to one meter over a [Transport] that the caller has
// opened. [Conn.Associate] opens an [Association], which reads: one attribute
// with [Association.Get], many in as few messages as the meter allows with
// [Association.GetList], and the rows of a buffer, one after the other, with
// [Association.GetRows]. The package cannot write to a meter.
//
//	conn, err := dlms.NewConn(transport, dlms.ConnConfig{Framing: dlms.Wrapper, ClientAddress: 16, LogicalAddress: 1})
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	a, err := conn.Associate(ctx, dlms.AssociationConfig{})
//	if err != nil {
//		return err
//	}
//	defer a.Release(ctx)
//	d, err := a.Get(ctx, cosem.Attribute{Class: cosem.Register, Instance: code, ID: 2}, nil)
//
// A Conn and its Association belong to one goroutine; there are no locks.
// Every call that waits takes a context first, and ends when it is done.
//
// # Time
//
// Nothing waits for ever, whatever the peer sends. The first octet of an
// answer is awaited for ReplyTimeout. Once an answer has begun, the gap
// between two octets is limited (HDLC: InterOctetTimeout; wrapper: the longer
// of the two timeouts, because TCP repeats lost segments on its own and a gap
// there says nothing about the meter), and so is the whole of it:
// ReplyTimeout + 10 x InterOctetTimeout + n x t, where n is the number of
// octets in the largest frame proposed (HDLC) or announced (wrapper), and t
// is 40 ms for HDLC, which allows a line of 300 baud, and 4 ms for the
// wrapper. A silent attempt is repeated Retries times (HDLC and UDP); a meter
// that says that it is not ready is given as long as a silent one.
//
// An answer in HDLC segments has this time for each of them. All of them
// together, and all that comes in place of the answer, have it Retries + 1
// times, and ReplyTimeout more for every 32 octets received; at MaxAPDU octets
// the exchange ends. Each block of a block transfer is an answer of its own, of
// which there are at most MaxBlocks: a ctx with a deadline limits the whole.
//
// # Errors
//
// What the meter said about one attribute is an [*AccessError],
// [*ExceptionError], [*ServiceError] or [*ProtocolError] and leaves the
// association usable; [Association.Lost] tells. What ends it is a
// [*TimeoutError] (of HDLC), [*DisconnectedError], an error that wraps
// [io.EOF] or another error of the transport. A refused association is a
// [*RejectError]; a peer that speaks something else a [*FramingError].
//
// Clauses are those of the Green Book, edition 9, unless a comment says otherwise.
package dlms
