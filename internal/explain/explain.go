// Package explain says what octets of meters mean: it takes what is found in a
// file, of a push or of a dialog, in any framing, and makes a tree of it. It can
// also take out of such octets what belongs to one customer, so that captures
// can be shared.
package explain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// Options say how octets are explained.
type Options struct {
	Key     []byte // encryption key (global unicast); nil: none. Keys of suite 2 have 32 octets, of the others 16
	AuthKey []byte // authentication key; nil: none
	// MasterKey wraps the keys that come with general-ciphering; nil: none.
	MasterKey []byte
	Lists     []*push.List
	Raw       bool                   // the A-XDR of each value, too
	Name      func(obis.Code) string // what a code means; nil or "": as the standard has it
}

// Report is what octets mean.
type Report struct {
	Nodes    []*Node
	Octets   int
	Frames   int // good frames, datagrams and telegrams
	Messages int // APDUs and telegrams
	Problems int
	Missing  []string // keys

	in *Input
}

// Complete reports whether something was found, and all of it was decoded.
func (r *Report) Complete() bool {
	return r.Frames+r.Messages > 0 && r.Problems == 0 && len(r.Missing) == 0
}

// line is the number of the line of the input that a node is about; 0: none.
func (r *Report) line(n *Node) int {
	if n.Offset >= 0 {
		return r.in.Line(n.Offset)
	}
	return n.line
}

const (
	mostNodes   = 100_000
	mostMissing = 100
	maxAPDU     = 1 << 20
)

// Explain explains the octets of an input. The error says that a key cannot be one.
func Explain(in *Input, opt Options) (*Report, error) {
	x, err := newExplainer(in, opt)
	if err != nil {
		return nil, err
	}
	x.run()
	return x.report, nil
}

// explainer makes the tree. Its octets are the input and, behind it, what was
// deciphered.
type explainer struct {
	opt    Options
	in     *Input
	report *Report
	keys   *security.Context // nil: no encryption key

	store  []byte
	origin []int32 // where in the input an octet of the store has come from

	nodes    int
	full     bool
	streams  map[string]*stream
	order    []*stream // those that are open
	all      []*stream
	sessions map[sessionKey]*session
	mapper   push.Mapper
	pushed   bool      // what is shown is the body of a push
	findings *findings // what Redact looks for; nil: nothing
}

func newExplainer(in *Input, opt Options) (*explainer, error) {
	x := &explainer{
		opt: opt, in: in, report: &Report{Octets: len(in.Octets), in: in},
		streams: map[string]*stream{}, sessions: map[sessionKey]*session{},
		mapper: push.Mapper{Lists: opt.Lists, MaxAPDU: maxAPDU},
	}
	if len(opt.Key) > 0 {
		keys, err := security.NewContext(keysOf(opt.Key, opt.AuthKey))
		if err != nil {
			return nil, err
		}
		x.keys = keys
	} else if len(opt.AuthKey) > 0 && len(opt.MasterKey) == 0 {
		return nil, errors.New("an authentication key alone opens nothing: the encryption key is missing")
	}
	if n := len(opt.MasterKey); n > 0 && n != security.KeyLengthOf(0) && n != security.KeyLengthOf(2) {
		return nil, fmt.Errorf("master key of %s, %d (suites 0 and 1) or %d (suite 2) are expected", count(n, "octet"), security.KeyLengthOf(0), security.KeyLengthOf(2))
	}
	x.store = slices.Clone(in.Octets)
	x.origin = make([]int32, len(x.store))
	for i := range x.origin {
		x.origin[i] = int32(i)
	}
	return x, nil
}

// run walks over the parts of the input, each of which goes on with its stream.
func (x *explainer) run() {
	for _, p := range x.in.parts {
		if p.note != "" {
			x.note(p)
			continue
		}
		s := x.streams[p.stream]
		if s == nil {
			s = &stream{x: x, part: p}
			x.streams[p.stream] = s
			x.order, x.all = append(x.order, s), append(x.all, s)
		}
		s.add(p)
		if p.stream != "" {
			s.run(false)
		}
	}
	for _, s := range x.order {
		s.run(true)
		s.end()
	}
	for _, w := range x.in.wrong {
		n := x.add(nil, "line", "", octets{})
		n.line = w.line
		x.flaw(n, w.text)
	}
	if x.full {
		n := &Node{Name: "more", Offset: -1, Length: -1}
		x.report.Nodes = append(x.report.Nodes, n)
		x.flaw(n, fmt.Sprintf("only the first %d parts are shown", mostNodes))
	}
}

// note shows an event of a record. A link that was opened begins anew.
func (x *explainer) note(p part) {
	if strings.HasPrefix(p.note, "opened") {
		for _, mark := range []string{" >", " <"} {
			if s := x.streams[p.endpoint+mark]; s != nil {
				s.run(true)
				s.end()
				x.order = slices.DeleteFunc(x.order, func(o *stream) bool { return o == s })
				delete(x.streams, p.endpoint+mark)
			}
		}
		for k := range x.sessions {
			if k.endpoint == p.endpoint {
				delete(x.sessions, k)
			}
		}
	}
	n := x.add(nil, "note", ascii(p.note), octets{})
	n.Note = ascii(p.time + " " + p.endpoint)
	n.line = p.line
}

// add adds a node below another one; nil: at the top.
func (x *explainer) add(parent *Node, name, value string, o octets) *Node {
	n := &Node{Name: name, Value: value, Offset: x.offset(o, 0), Length: len(o.b)}
	if n.Offset < 0 {
		n.Length = -1
	}
	if x.nodes++; x.nodes > mostNodes {
		x.full = true
		return n
	}
	if parent == nil {
		x.report.Nodes = append(x.report.Nodes, n)
	} else {
		parent.Children = append(parent.Children, n)
	}
	return n
}

// flaw notes what is wrong with a node.
func (x *explainer) flaw(n *Node, text string) {
	if n.Problem != "" {
		n.Problem += "; "
	}
	n.Problem += ascii(text)
	x.report.Problems++
}

// damaged adds what is wrong at octet i of o.
func (x *explainer) damaged(parent *Node, o octets, i int, text string) {
	n := x.add(parent, "damaged", "", octets{})
	n.Offset = x.offset(o, i)
	x.flaw(n, text)
}

// wrong adds the error of a parser that was given o.
func (x *explainer) wrong(parent *Node, o octets, err error) {
	i, text := errorAt(err)
	x.damaged(parent, o, i, text)
}

// missing notes a key that is not there.
func (x *explainer) missing(what string) {
	if !slices.Contains(x.report.Missing, what) && len(x.report.Missing) < mostMissing {
		x.report.Missing = append(x.report.Missing, what)
	}
}

// sessionKey names a client and a server on a link, in the order of their
// addresses.
type sessionKey struct {
	endpoint string
	a, b     [2]uint16
}

// session finds what is known of the dialog between two stations.
func (x *explainer) session(endpoint string, from, to hdlc.Address) *session {
	k := sessionKey{endpoint, [2]uint16{from.Upper, from.Lower}, [2]uint16{to.Upper, to.Lower}}
	if slices.Compare(k.a[:], k.b[:]) > 0 {
		k.a, k.b = k.b, k.a
	}
	s := x.sessions[k]
	if s == nil {
		const most = 1000
		if len(x.sessions) >= most {
			clear(x.sessions)
		}
		s = newSession()
		x.sessions[k] = s
	}
	return s
}
