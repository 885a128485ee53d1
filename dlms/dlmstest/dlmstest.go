// Package dlmstest is a DLMS/COSEM server for tests and demonstrations: a
// meter that answers over any [net.Conn], a TCP listener or a UDP socket.
//
// It speaks logical or short name referencing over HDLC (with the state of a secondary
// station: Green Book Ed. 9, clause 8) and over the TCP-UDP/IP wrapper (clause
// 7), without authentication, with a low-security password or with high-level
// security (clause 9.2.7.4), in the clear or ciphered by suites 0, 1 and 2, and
// answers GET or READ with block transfer, general too, lists and selective access. What it
// holds is supplied by an [Objects]; how it behaves, and misbehaves, by a [Config].
//
// The package shares the codecs with package dlms but none of its exchange
// logic, so that client and meter cannot have a mistake in common there.
package dlmstest

import (
	"bytes"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// The framings a [Meter] serves.
const (
	FramingHDLC    = "hdlc"
	FramingWrapper = "wrapper"
)

// Defaults of a [Config].
const (
	DefaultMaxInfo           = 1024              // octets of an HDLC information field
	DefaultMaxPDU            = 2048              // octets of an APDU
	DefaultHDLCInactivity    = 120 * time.Second // IEC HDLC setup, inactivity_time_out
	DefaultWrapperInactivity = 180 * time.Second // TCP-UDP setup, inactivity_time_out
	PublicClient             = 16                // the client without authentication
)

// DefaultTitle is the system title of a meter that was given none.
var DefaultTitle = [security.TitleLength]byte{'S', 'I', 'M', 0, 0, 0, 0, 1}

// DefaultConformance is what the meter offers when [Config].Conformance is 0:
// GET with blocks, lists, selective access and priorities. A meter that has
// clients with high-level security or keys offers ACTION and general protection as well.
const DefaultConformance = xdlms.ConformanceGet | xdlms.ConformanceBlockTransferWithGetOrRead |
	xdlms.ConformanceMultipleReferences | xdlms.ConformanceSelectiveAccess | xdlms.ConformancePriorityMgmt

// ShortNameConformance is what a meter with short names offers: READ with
// blocks, lists and parameters.
const ShortNameConformance = xdlms.ConformanceRead | xdlms.ConformanceBlockTransferWithGetOrRead |
	xdlms.ConformanceMultipleReferences | xdlms.ConformanceParameterizedAccess

// Objects is what a meter measures. Get appends the A-XDR encoding of the
// attribute at to b and returns the extended slice with [xdlms.Success], or
// returns why the attribute cannot be read; b is then ignored. client is the
// address of the client that asks; sel is nil without selective access and,
// like everything it holds, valid only during the call.
//
// Get is called by several sessions at once.
type Objects interface {
	Get(client uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult)
}

// Client is one client association a meter knows.
type Client struct {
	// Mechanism is None, Low, or one of high-level security.
	Mechanism acse.Mechanism
	Password  []byte // for Low; any octets
	Secret    []byte // for high-level security but for HLSGMAC and HLSECDSA, which have Keys and Public

	// DigitSum is what HLS is to some meters of Landis+Gyr: the client adds digits
	// of the secret to those of Config.Challenge, which has to be text of
	// hexadecimal digits, and the meter answers with null-data.
	DigitSum bool
	// Association is the object whose reply_to_HLS_authentication is invoked; zero
	// is the current association.
	Association obis.Code

	// Keys let the client cipher: it may then ask for a context with ciphering.
	// With keys that the suite does not have every association is refused.
	Keys   security.Keys
	Public PublicKeys // for HLSECDSA, general-ciphering and general-signing

	// Policy is the protection that requests must have at least, and that answers
	// get beside that of their request; 0 is none. With one the client must
	// ask for a context with ciphering.
	Policy security.Control
}

// Config says how a meter behaves. The zero value is a well-behaved meter over
// the wrapper that lets client 16 in without a password.
type Config struct {
	// Framing is FramingHDLC or FramingWrapper; empty is FramingWrapper.
	Framing string

	// Clients are the associations by client address; nil is client 16 (none).
	Clients map[uint16]Client

	// LogicalAddress is the upper HDLC address or the wPort of the meter; 0 is
	// 1. Frames for another address are met with silence.
	LogicalAddress uint16

	// PhysicalAddresses are the lower HDLC addresses that answer; nil is any,
	// and none as well. Each has a link and an association of its own.
	PhysicalAddresses []uint16

	// AddressObjects replaces the objects of single physical addresses.
	AddressObjects map[uint16]Objects

	// LogicalDevices are further logical devices of the meter, each with
	// associations of its own, by their upper HDLC address or wPort.
	LogicalDevices map[uint16]Objects

	// Gateway makes a gateway of the meter: its objects and their associations
	// are those of one device behind it, and whatever comes without the header
	// of that device is refused or, with the header of another, met with silence.
	Gateway *xdlms.Gateway

	// AddressSize is the only server address length, 1, 2 or 4 octets, that is
	// answered; 0 is any.
	AddressSize int

	// MaxInfo is the longest HDLC information field both ways, in octets; 0 is
	// DefaultMaxInfo. Window is how many frames may be unacknowledged; 0 is 1.
	MaxInfo, Window int

	// BareUA answers SNRM by a UA without parameters: 128 octets, window 1.
	BareUA bool

	// TitleInUA tells the system title in the user group of the UA, and not in the AARE.
	TitleInUA bool

	// MaxPDU is the longest APDU the meter receives and sends, in octets; 0 is
	// DefaultMaxPDU. A longer answer goes out in blocks.
	MaxPDU int

	// ShortNames is a meter with short-name referencing, and without logical
	// names. Its objects are those of the object list that its Objects have for
	// Association LN; their base names ascend in that order.
	ShortNames bool

	// Conformance is what the meter offers; 0 is DefaultConformance, or
	// ShortNameConformance (without multiple-references if NoLists is set).
	Conformance xdlms.Conformance

	// Title is the meter's system title; zero is DefaultTitle.
	Title [security.TitleLength]byte

	// Challenge is the meter's challenge to every client; nil is another one of
	// 16 octets each time. A real meter never sends one twice.
	Challenge []byte

	// Counter is the meter's first own invocation counter. ClientCounter is the
	// highest that it has accepted before it began, from whatever client; 0 is none.
	Counter, ClientCounter uint32

	// CounterException answers an AARQ whose invocation counter was used before
	// by an exception-response with the lowest that would do, as requests are,
	// in place of an AARE that does not tell.
	CounterException bool

	// NoLists refuses GET-with-list by an exception-response. ListMax does so
	// for lists of more items; 0 is any number.
	NoLists bool
	ListMax int

	// BlockSize sends every answer whose body is longer in blocks of at most
	// that many octets of raw data; 0: only answers beyond the PDU sizes.
	BlockSize int

	// GeneralBlocks offers general block transfer, with so many blocks that the
	// client may send in a row, 1 to 63. Where it is agreed on, requests may come
	// in blocks, and answers that are too long go out in them, up to the client's
	// window in a row, in place of those of GET and READ; BlockSize counts the
	// octets of the APDU then.
	GeneralBlocks int

	// ResponseDelay passes before each answer. The meter handles one request
	// after the other.
	ResponseDelay time.Duration

	// Inactivity is the pause after which the meter forgets: on HDLC the link
	// and its association, silently; with the wrapper it closes the connection.
	// 0 is 120 s and 180 s; negative is never.
	Inactivity time.Duration

	// MaxSessions is how many connections are served at once; others are
	// closed when none of these has ended within 100 ms. 0 is any number.
	MaxSessions int

	// Faults are mistakes to order; nil is none.
	Faults *Faults

	// OnRelease, if set, is called when a client ends its association by
	// RLRQ or DISC. It may be called by several goroutines at once.
	OnRelease func(client uint16)
}

// Counters is what a meter has seen since [NewMeter].
type Counters struct {
	Connections  int // connections accepted, or UDP peers
	Refused      int // connections closed because of MaxSessions
	Links        int // SNRM answered by UA
	Associations int // AARQ accepted
	Rejections   int // AARQ refused
	Gets         int // GET-Request-Normal, ReadRequest of one variable
	Nexts        int // GET-Request-Next, ReadRequest of the next block
	Lists        int // GET-Request-With-List, ReadRequest of several variables
	Items        int // attributes asked for, singly and in lists
	Others       int // APDUs that are not part of reading
	Requests     int // APDUs of any kind, repeated frames not counted
	Segmented    int // APDUs that came in several HDLC segments
	Repeats      int // HDLC I frames that came a second time
	Polls        int // HDLC RR frames
	Foreign      int // frames for another address
	BadFrames    int // frames that were no frames
	Releases     int // associations ended by RLRQ or DISC
	Aborts       int // associations ended otherwise: connection closed, inactivity, a new SNRM

	Authentications int // passes 3 of high-level security that were right; wrong ones are Rejections
	GeneralBlocks   int // blocks of general block transfer sent, those that were lost to order included
	GeneralAcks     int // blocks without data from clients

	Ciphered         int // ciphered requests opened, without those of associations
	Dedicated        int // of these, under a dedicated key
	RepeatedCounters int // invocation counters that were not higher than all before
}

// A Meter is a server. It may serve any number of connections at once.
type Meter struct {
	cfg     Config
	objects Objects
	faults  faultState

	slots chan struct{} // one element per connection being served; nil: any number

	secured bool // some client has keys

	mu       sync.Mutex
	counters Counters
	own      uint32            // next own invocation counter
	highest  uint32            // of those accepted
	lowest   map[series]uint64 // acceptable next
}

// NewMeter returns a meter that holds objects and behaves as cfg says. cfg is
// copied with its maps and slices.
func NewMeter(cfg Config, objects Objects) *Meter {
	if cfg.Framing == "" {
		cfg.Framing = FramingWrapper
	}
	if cfg.LogicalAddress == 0 {
		cfg.LogicalAddress = 1
	}
	if cfg.MaxInfo == 0 {
		cfg.MaxInfo = DefaultMaxInfo
	}
	cfg.MaxInfo = min(max(cfg.MaxInfo, hdlc.MinInfo), hdlc.MaxInfo)
	cfg.Window = min(max(cfg.Window, hdlc.DefaultWindow), hdlc.MaxWindow)
	if cfg.MaxPDU <= 0 {
		cfg.MaxPDU = DefaultMaxPDU
	}
	cfg.MaxPDU = min(max(cfg.MaxPDU, minPDU), 0xffff)
	if cfg.Title == ([security.TitleLength]byte{}) {
		cfg.Title = DefaultTitle
	}
	cfg.Challenge = bytes.Clone(cfg.Challenge)
	secured := cfg.cloneClients()
	if cfg.Conformance == 0 {
		cfg.Conformance = DefaultConformance
		if cfg.ShortNames {
			cfg.Conformance = ShortNameConformance
		}
		if cfg.NoLists {
			cfg.Conformance &^= xdlms.ConformanceMultipleReferences
		}
		if cfg.GeneralBlocks > 0 {
			cfg.Conformance |= xdlms.ConformanceGeneralBlockTransfer
		}
		cfg.Conformance |= secured
	}
	if cfg.Inactivity == 0 {
		cfg.Inactivity = DefaultWrapperInactivity
		if cfg.Framing == FramingHDLC {
			cfg.Inactivity = DefaultHDLCInactivity
		}
	}
	if cfg.PhysicalAddresses != nil {
		cfg.PhysicalAddresses = append([]uint16{}, cfg.PhysicalAddresses...)
	}
	byAddress := map[uint16]Objects{}
	for address, o := range cfg.AddressObjects {
		byAddress[address] = o
	}
	cfg.AddressObjects = byAddress

	m := &Meter{
		cfg: cfg, objects: objects, lowest: map[series]uint64{}, own: cfg.Counter, highest: cfg.ClientCounter,
		secured: secured.Has(xdlms.ConformanceGeneralProtection),
	}
	if cfg.MaxSessions > 0 {
		m.slots = make(chan struct{}, cfg.MaxSessions)
	}
	if cfg.Faults != nil {
		m.faults.order(*cfg.Faults)
	}
	return m
}

// cloneClients copies the clients, or makes the one there is by default, and
// returns what they need of the conformance.
func (cfg *Config) cloneClients() (needed xdlms.Conformance) {
	clients := map[uint16]Client{}
	for address, c := range cfg.Clients {
		c.Password, c.Secret = bytes.Clone(c.Password), bytes.Clone(c.Secret)
		c.Keys.EncryptionKey = bytes.Clone(c.Keys.EncryptionKey)
		c.Keys.AuthenticationKey = bytes.Clone(c.Keys.AuthenticationKey)
		clients[address] = c
		if c.Keys.EncryptionKey != nil {
			needed |= xdlms.ConformanceGeneralProtection
		}
		if c.Mechanism.HighLevel() && !cfg.ShortNames {
			needed |= xdlms.ConformanceAction
		}
	}
	if cfg.Clients == nil {
		clients[PublicClient] = Client{Mechanism: acse.None}
	}
	cfg.Clients = clients
	return needed
}

// Counters returns what the meter has seen so far.
func (m *Meter) Counters() Counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counters
}

// count changes the counters under their lock.
func (m *Meter) count(change func(c *Counters)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.counters)
}

// objectsFor returns what a logical device of the meter at a physical address holds.
func (m *Meter) objectsFor(logical, physical uint16) Objects {
	if o, ok := m.cfg.LogicalDevices[logical]; ok {
		return o
	}
	if o, ok := m.cfg.AddressObjects[physical]; ok {
		return o
	}
	return m.objects
}

// has tells whether the meter has this logical device.
func (m *Meter) has(logical uint16) bool {
	_, further := m.cfg.LogicalDevices[logical]
	return further || logical == m.cfg.LogicalAddress
}

// accepts tells whether a frame to this server address is for the meter.
func (m *Meter) accepts(a hdlc.Address) bool {
	if !m.has(a.Upper) || m.cfg.AddressSize != 0 && a.Size != m.cfg.AddressSize {
		return false
	}
	if m.cfg.PhysicalAddresses == nil {
		return true
	}
	for _, p := range m.cfg.PhysicalAddresses {
		if p == a.Lower {
			return true
		}
	}
	return false
}
