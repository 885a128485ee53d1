package dlms

import (
	"context"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// DefaultConformance is what an association proposes: the services of a reader,
// and none that writes.
const DefaultConformance = xdlms.ConformanceGet | xdlms.ConformanceBlockTransferWithGetOrRead |
	xdlms.ConformanceMultipleReferences | xdlms.ConformanceSelectiveAccess

// ShortNameConformance is what is proposed instead in short-name referencing.
const ShortNameConformance = xdlms.ConformanceRead | xdlms.ConformanceBlockTransferWithGetOrRead |
	xdlms.ConformanceMultipleReferences | xdlms.ConformanceParameterizedAccess

// AssociationConfig says how to associate. The zero value is an association
// without authentication.
type AssociationConfig struct {
	Mechanism   acse.Mechanism    // None, Low, or one of high-level security
	Password    []byte            // sent in clear with Low; the secret of HLS, HLSMD5, HLSSHA1 and HLSSHA256, which is never sent
	Conformance xdlms.Conformance // what is proposed; 0: DefaultConformance, or ShortNameConformance
	// ShortNames asks for short-name referencing. Attributes are named by their OBIS codes all the same: Names are the
	// objects of the meter, where they are known; Association.ReadNames reads them.
	ShortNames bool
	Names      cosem.ShortNames
	// AssumeConformance are services that are used although the meter does not grant them.
	AssumeConformance xdlms.Conformance
	// Security protects the APDUs; nil: they are plain. Title is our system title without it, which HLSSHA256 needs.
	Security *Security
	Title    []byte
	// ChallengeSize is the octets of our challenge in high-level security, 8 to 64; 0: 16. AssociationObject is where
	// its answer goes to; zero: the current association, 0.0.40.0.0.255.
	ChallengeSize     int
	AssociationObject obis.Code
	// DigitSum is what HLS is to some meters of Landis+Gyr: digits are added up, and the meter proves nothing.
	DigitSum bool
	// PlainRelease ends a ciphered association over the wrapper by an RLRQ in clear; else it has the ciphered initiate in it.
	PlainRelease bool
	// GeneralBlocks proposes general block transfer, with so many blocks that the meter may send in a row, 1 to 63; 0: it
	// is not proposed, and understood all the same.
	GeneralBlocks int
	MaxPDU        int // octets of the largest APDU that the meter may send, 12 to 65535; 0: 65535, < 0: 0 on the wire, which means no limit
}

// Parameters are what an AARE granted.
type Parameters struct {
	// Conformance are the services in force: those that the meter granted out of those proposed, and those assumed.
	Conformance xdlms.Conformance
	// Granted is the conformance block as the meter sent it.
	Granted xdlms.Conformance
	// AssumedGet says that GET (READ in short-name referencing) was not granted and is used all the same, because
	// without it an association would be good for nothing, and there are meters that leave the bit, or the whole block, 0.
	AssumedGet bool
	// MaxPDU is the largest APDU in octets that the meter takes; 0: no limit. A size that the standard reserves (below
	// 12), which not even a request for one attribute would fit, is taken for none, too.
	MaxPDU int
	// Title is the meter's system title, 8 octets; nil if it sent none.
	Title []byte
}

// An Association is an application association with a meter (clause 9.3.2). It
// belongs to the goroutine of its Conn.
type Association struct {
	c      *Conn
	params Parameters
	maxPDU int   // octets of the largest APDU that the meter may send; 0: no limit
	lost   error // why it is over
	short  bool  // short-name referencing
	names  cosem.ShortNames

	keys         *secured // nil: there are none
	secured      *secured // the same; nil: APDUs are plain
	initiate     []byte   // the InitiateRequest, which a protected release repeats
	plainRelease bool

	listFailures int // answers in a row that were none to a list
	noLists      bool

	request xdlms.GetRequest
	single  [1]cosem.Attribute
	choice  [1]*cosem.Selection
	apdu    []byte // the request being sent
	read    xdlms.ReadRequest
	joined  []byte // the blocks of an answer
	general generalBlocks
	results []listResult
}

type listResult struct {
	data     axdr.Data
	result   xdlms.DataAccessResult
	unlisted bool
}

// errSuperseded ends an association whose Conn has begun another one.
var errSuperseded = errors.New("the association is over: another one was begun on its link")

// check reports what cannot be used.
func (cfg *AssociationConfig) check(datagram bool) error {
	switch {
	case cfg.Mechanism != acse.None && cfg.Mechanism != acse.Low && !cfg.Mechanism.HighLevel():
		return fmt.Errorf("authentication %s is not supported", cfg.Mechanism)
	case cfg.Mechanism == acse.HLSGMAC && (cfg.Security == nil || len(cfg.Security.Keys.EncryptionKey) == 0 || len(cfg.Security.Keys.AuthenticationKey) == 0):
		return errors.New("authentication high-gmac needs the encryption key and the authentication key")
	case cfg.Mechanism == acse.HLSECDSA && (cfg.Security == nil || cfg.Security.Public.Signing == nil):
		return errors.New("authentication high-ecdsa needs our key for signing")
	case cfg.Mechanism == acse.Low && len(cfg.Password) == 0:
		return errors.New("authentication low needs a password")
	case cfg.Mechanism.HasSecret() && len(cfg.Password) == 0:
		return fmt.Errorf("authentication %s needs a secret", cfg.Mechanism)
	case cfg.MaxPDU > 65535, cfg.MaxPDU > 0 && cfg.MaxPDU < leastPDU:
		return fmt.Errorf("max PDU %d is out of range (%d to 65535)", cfg.MaxPDU, leastPDU)
	case cfg.GeneralBlocks < 0 || cfg.GeneralBlocks > xdlms.MaxWindow:
		return fmt.Errorf("a window of %d blocks is out of range (0 to %d)", cfg.GeneralBlocks, xdlms.MaxWindow)
	case cfg.ShortNames && datagram:
		return errors.New("short-name referencing does not go over datagrams: its answers do not tell what they answer")
	default:
		return nil
	}
}

// Associate opens the link if there is one to open, and associates (COSEM-OPEN,
// clause 9.3.2): one AARQ, without ciphering. An association of before on this
// Conn is over.
//
// A refusal is a *RejectError; the link is closed behind it, best effort. Over
// the wrapper a Conn whose AARQ was not answered cannot be used again, since a
// late AARE could not be told from the next.
func (c *Conn) Associate(ctx context.Context, cfg AssociationConfig) (*Association, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	if err := cfg.check(c.cfg.Datagram); err != nil {
		return nil, err
	}
	if c.current != nil {
		c.current.lost = errSuperseded
		c.current = nil
	}
	a := &Association{c: c, short: cfg.ShortNames, names: cfg.Names}
	if cfg.Security != nil {
		var err error
		if a.keys, err = newSecured(cfg.Security); err != nil {
			return nil, err
		}
		if !cfg.Security.Plain {
			a.secured = a.keys
		}
	}
	if err := a.establish(ctx, cfg); err != nil {
		c.farewell(ctx)
		return nil, err
	}
	c.current = a
	return a, nil
}

// establish opens the link and the association.
func (a *Association) establish(ctx context.Context, cfg AssociationConfig) error {
	end := a.c.watch(ctx)
	defer end()
	if err := a.c.link.connect(ctx); err != nil {
		return err
	}
	return a.open(ctx, cfg)
}

// farewell closes the link behind an association that did not come about. It
// has a short time of its own: the end of ctx may be why it did not.
func (c *Conn) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	end := c.watch(ctx)
	defer end()
	_ = c.link.disconnect(ctx, true)
}

// opAssociate names the request of an association in errors.
const opAssociate = "AARQ"

// open exchanges AARQ and AARE.
func (a *Association) open(ctx context.Context, cfg AssociationConfig) error {
	c := a.c
	referencing, proposed := contextOf(cfg.ShortNames, a.secured != nil), cfg.Conformance
	if proposed == 0 {
		proposed = DefaultConformance
		if cfg.ShortNames {
			proposed = ShortNameConformance
		} else if cfg.Mechanism.HighLevel() {
			proposed |= xdlms.ConformanceAction // for reply_to_HLS_authentication
		}
	}
	if a.secured != nil && (a.secured.Ciphering != ServiceCiphering || a.secured.Signed) {
		proposed |= xdlms.ConformanceGeneralProtection
	}
	if a.general.window = cfg.GeneralBlocks; a.general.window > 0 {
		proposed |= xdlms.ConformanceGeneralBlockTransfer
	}
	a.maxPDU = max(cfg.MaxPDU, 0)
	if cfg.MaxPDU == 0 {
		a.maxPDU = 65535
	}
	initiate := xdlms.InitiateRequest{
		ResponseAllowed: true,
		Version:         xdlms.Version,
		Conformance:     proposed,
		MaxPDU:          uint16(a.maxPDU),
	}
	if a.secured != nil {
		initiate.DedicatedKey = a.secured.Dedicated
	}
	a.initiate, a.plainRelease = initiate.Append(nil), cfg.PlainRelease
	aarq := acse.AARQ{Context: referencing, Mechanism: cfg.Mechanism, UserInformation: a.initiate, CallingTitle: cfg.title()}
	if a.keys != nil && a.keys.Public.Certificate != nil {
		aarq.CallingQualifier = a.keys.Public.Certificate.DER()
	}
	var challenge []byte
	switch {
	case cfg.Mechanism == acse.Low:
		aarq.AuthenticationValue = cfg.Password
	case cfg.Mechanism.HighLevel():
		var err error
		if challenge, err = newChallenge(cfg.ChallengeSize); err != nil {
			return err
		}
		aarq.AuthenticationValue = challenge
	default:
	}
	if a.secured != nil {
		sealed, err := a.secured.seal(aarq.UserInformation)
		if err != nil {
			return fmt.Errorf("%s: %w", opAssociate, err)
		}
		aarq.UserInformation = append([]byte(nil), sealed...)
	}
	apdu, err := aarq.Append(nil)
	if err != nil {
		return fmt.Errorf("AARQ: %w", err)
	}
	answer, err := c.link.exchange(ctx, operation{name: opAssociate}, apdu, expectation{kind: wantAARE, again: a.anewAARQ(&aarq)})
	if err != nil {
		if c.cfg.Framing == Wrapper && c.broken == nil {
			c.broken = fmt.Errorf("an AARQ was not answered on this connection (%w)", err)
		}
		return err
	}
	accepted, err := a.judge(answer, referencing, proposed, cfg.Mechanism)
	if err == nil {
		err = reflected(&cfg, challenge, &accepted)
	}
	if err != nil {
		return err
	}
	a.params = accepted.Parameters
	a.params.Conformance |= cfg.AssumeConformance
	if err := a.agreeForm(); err != nil {
		return err
	}
	c.unproven = false
	if cfg.Mechanism.HighLevel() {
		return a.authenticate(ctx, &cfg, challenge, accepted.challenge)
	}
	return nil
}

// agreeForm settles in which APDUs requests travel, now that it is known whether
// the meter grants general-protection.
func (a *Association) agreeForm() error {
	switch x := a.secured; {
	case x == nil, x.Ciphering == ServiceCiphering && !x.Signed, a.params.Conformance.Has(xdlms.ConformanceGeneralProtection):
	case x.Ciphering == GeneralCiphering && !x.Signed:
		x.Ciphering = ServiceCiphering
	default:
		return &RejectError{Err: &SecurityError{Op: opAssociate, Err: errors.New("the meter does not grant general-protection, which general-ciphering and signatures need")}}
	}
	return nil
}

// contextOf is the application context of an association.
func contextOf(short, ciphered bool) acse.Context {
	switch {
	case short && ciphered:
		return acse.SNCiphered
	case short:
		return acse.SN
	case ciphered:
		return acse.LNCiphered
	default:
		return acse.LN
	}
}

// leastPDU is the smallest PDU size that is not reserved (clause 9.4.2, server-max-receive-pdu-size).
const leastPDU = 12

// Resume says that the association was idle for a while, so that the meter may
// have forgotten it. Until the next request is answered, silence ends the
// association: over HDLC after one attempt to recover, over TCP at once.
func (a *Association) Resume() { a.c.unproven = true }

// retries is how often a message is recovered from silence.
func (c *Conn) retries() int {
	if c.unproven {
		return min(c.cfg.Retries, 1)
	}
	return c.cfg.Retries
}

// ListSize returns how many attributes the next list of GetList may have; 1:
// they are read one by one.
func (a *Association) ListSize() int { return max(1, a.listSize()) }

// Parameters returns what the meter granted.
func (a *Association) Parameters() Parameters { return a.params }

// Lost returns why the association is over, nil while it can be used.
func (a *Association) Lost() error {
	if a.lost == nil && a.c.broken != nil {
		a.lost = a.c.broken
	}
	return a.lost
}

// Release ends the association: with DISC over HDLC, which ends the link too,
// with RLRQ over the wrapper. It waits for an answer for the reply timeout, but
// at most for a second; whatever the answer is, and if there is none, the
// association is over. The error says what went wrong, for the log.
func (a *Association) Release(ctx context.Context) error {
	c := a.c
	if c.current != a {
		return nil
	}
	c.current = nil
	lost := a.lost
	a.lost = errReleased
	end := c.watch(ctx)
	defer end()
	if c.cfg.Framing == HDLC {
		return c.link.disconnect(ctx, false)
	}
	if lost != nil || c.broken != nil {
		return nil
	}
	rlrq, err := a.farewellRequest()
	if err != nil {
		return err
	}
	answer, err := c.link.exchange(ctx, operation{name: opRelease}, rlrq, expectation{kind: wantRLRE, within: goodbye})
	switch {
	case err == nil:
		return a.checkFarewell(answer)
	case c.broken == nil:
		c.broken = errors.New("the RLRQ was not answered on this connection")
	default:
	}
	return err
}

// opRelease names the request that ends an association in errors.
const opRelease = "RLRQ"

// farewellRequest is the RLRQ. In a ciphered association it has the initiate in
// it once more, so that nobody else can end the association (Green Book Ed. 9,
// clause 9.4.2.3).
func (a *Association) farewellRequest() ([]byte, error) {
	rlrq := acse.RLRQ{Reason: acse.ReleaseNormal, HasReason: true}
	if a.secured != nil && !a.plainRelease {
		sealed, err := a.secured.seal(a.initiate)
		if err != nil {
			return nil, &SecurityError{Op: opRelease, Err: err}
		}
		rlrq.UserInformation = sealed
	}
	return rlrq.Append(nil), nil
}

// checkFarewell reports what is wrong with an RLRE, for the log.
func (a *Association) checkFarewell(answer []byte) error {
	if xdlms.APDUTag(answer[0]) != xdlms.TagRLRE {
		return nil // it refuses, and the association is over all the same
	}
	rlre, err := acse.ParseRLRE(answer)
	switch {
	case err != nil && a.secured != nil && !a.plainRelease:
		return &ProtocolError{Op: opRelease, Msg: shown(answer), Err: err}
	case err != nil: // there are meters that count the octets of it wrongly, and nothing in it matters
	case a.secured != nil && len(rlre.UserInformation) > 0 && xdlms.APDUTag(rlre.UserInformation[0]).Ciphered():
		if _, err := a.secured.open(rlre.UserInformation); err != nil {
			return &SecurityError{Op: opRelease, Err: err}
		}
	default:
	}
	return nil
}

var errReleased = errors.New("the association was released")
