package dlmstest

import (
	"bytes"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
)

// Faults are mistakes a meter makes to order. A count says how many times; a
// negative count is always. Counts run over the life of the [Meter], not of a
// connection.
//
// The faults from IgnoreRequests on concern GET requests and their answers,
// ciphered ones as they come over the line; the
// association is spared, unless FromAssociation is set.
type Faults struct {
	// The HDLC link.
	DMOnSNRM             int  // SNRM answered by DM
	IgnoreSNRM           int  // SNRM not answered
	IgnoreSNRMParameters bool // SNRM with parameters not answered
	DMOnSNRMParameters   bool // SNRM with parameters answered by DM

	// The association.
	RejectAssociation int             // AARQ refused with RejectDiagnostic
	RejectDiagnostic  acse.Diagnostic // zero: service user, 1 (no reason given)

	// Requests.
	FromAssociation bool // the faults below concern AARQ and RLRQ as well
	IgnoreRequests  int  // requests not seen at all, as if the line were dead
	CloseOnRequest  int  // requests on which the connection is closed
	DMOnRequest     int  // HDLC: requests answered by DM; the link is gone
	FRMROnRequest   int  // HDLC: requests answered by FRMR; the link is gone
	RNROnRequest    int  // HDLC: requests acknowledged by RNR; a later RR fetches the answer

	// The octets of answers, repeated ones included.
	LoseAnswers    int           // answers not sent, though the request was handled
	RepeatAnswers  int           // answers sent twice
	TruncateFrames int           // answers that lack the second half of their octets
	WrongFCS       int           // HDLC: answers with a false frame check sequence
	Noise          []byte        // octets sent before each answer, outside any frame
	LateAnswers    int           // answers that come LateBy later than they should
	LateBy         time.Duration //
	StaleAnswers   int           // wrapper: answers before which comes one to the invoke-id before
	SameWPorts     bool          // wrapper: source and destination not swapped, in all answers
	ZeroWPorts     bool          // wrapper: source and destination 0, in all answers

	// The APDUs of answers.
	WrongInvokeID   int  // answers for another invoke-id
	WrongPriority   bool // answers with another priority and service class
	EndlessBlocks   bool // every answer is a block transfer without a last block
	WrongBlock      int  // blocks with a false number
	EmptyBlocks     int  // blocks without raw data, before those that have some
	FirstBlockZero  bool // blocks are counted from 0
	LongCount       int  // lists that claim one item more than they hold
	ShortLists      int  // lists that lack their last item, and say so
	SingleForm      int  // lists answered by one access result, other-reason
	LongValue       int  // values whose length exceeds the APDU
	NestedArrays    int  // every value is so many arrays in one another
	TemporaryErrors int  // attributes answered by temporary-failure

	// General block transfer. Numbers are those of blocks; each is spoiled once.
	UngrantedBlocks bool // answers go out in blocks though it is not agreed on
	LoseBlock       int  // number of the block that is not sent
	DoubleBlock     int  // number of the block that is sent twice
	SwapBlock       int  // number of the block that is sent behind the next one of its window
	FalseBlock      int  // number of the block that bears another number
	LongBlock       int  // number of the block that claims an octet more than it has, if it has less than 127
	EndlessGeneral  bool // every answer is in blocks, none of which is the last
	StreamingLast   bool // last blocks are marked as streaming, too

	// High-level security and ciphering. The faults from PlainAnswers on spare
	// the association, unless FromAssociation is set.
	WrongReplies     int  // wrong answers to the client's challenge
	HighCounters     int  // reads of the CounterObject that show FFFFFFF0
	AnyCounter       bool // invocation counters used before are counted, but accepted
	PlainAnswers     int  // answers in the clear to ciphered requests
	RepeatedCounters int  // ciphered answers with the counter of the one before
	WrongTags        int  // ciphered answers whose last octet is false
	ForeignTitles    int  // ciphered answers of another system title

	// Raw, if set, sees each APDU before the meter does. With replace its
	// reply is sent instead of the meter's answer; a nil reply not at all. It
	// may be called by several goroutines at once, and must not keep apdu.
	Raw func(apdu []byte) (reply []byte, replace bool)
}

// faultState is the orders still to be carried out.
type faultState struct {
	mu  sync.Mutex
	ord Faults
}

// order takes over what has been ordered.
func (s *faultState) order(f Faults) {
	f.Noise = bytes.Clone(f.Noise)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ord = f
}

// take tells whether the fault that field selects is due, and counts it down.
func (s *faultState) take(field func(f *Faults) *int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := field(&s.ord)
	switch {
	case *n == 0:
		return false
	case *n > 0:
		*n--
	}
	return true
}

// fixed returns the orders; those that are not counted down hold for ever.
func (s *faultState) fixed() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ord
}

// packet is octets to be sent at once, late after they are due.
type packet struct {
	octets []byte
	late   time.Duration
}

// spoil does to the octets of one answer what was ordered. It keeps octets.
func (s *faultState) spoil(octets []byte, framing string) []packet {
	if s.take(func(f *Faults) *int { return &f.LoseAnswers }) {
		return nil
	}
	if framing == FramingHDLC && len(octets) > 2 && s.take(func(f *Faults) *int { return &f.WrongFCS }) {
		octets[len(octets)-2] ^= 0xff
	}
	if s.take(func(f *Faults) *int { return &f.TruncateFrames }) {
		octets = octets[:len(octets)/2]
	}
	fixed := s.fixed()
	if len(fixed.Noise) > 0 {
		octets = append(bytes.Clone(fixed.Noise), octets...)
	}
	p := packet{octets: octets}
	if s.take(func(f *Faults) *int { return &f.LateAnswers }) {
		p.late = fixed.LateBy
	}
	if s.take(func(f *Faults) *int { return &f.RepeatAnswers }) {
		return []packet{p, {octets: octets}}
	}
	return []packet{p}
}
