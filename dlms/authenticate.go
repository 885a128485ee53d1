package dlms

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Challenges have 8 to 64 octets; 16 are understood by most meters.
const (
	challengeOctets = 16
	leastChallenge  = 8
	mostChallenge   = 64
)

// newChallenge makes the challenge of pass 1.
func newChallenge(size int) ([]byte, error) {
	if size == 0 {
		size = challengeOctets
	}
	if size < leastChallenge || size > mostChallenge {
		return nil, fmt.Errorf("a challenge of %s: %d to %d are allowed", octets(size), leastChallenge, mostChallenge)
	}
	b := make([]byte, size)
	_, err := rand.Read(b)
	return b, err
}

// opReply names pass 3 and 4 in errors.
const opReply = "reply_to_HLS_authentication"

// authenticate is passes 3 and 4 of high-level security (Green Book Ed. 9,
// clause 9.2.7.4): we answer the meter's challenge, and verify its answer to
// ours, without which the association is not used.
func (a *Association) authenticate(ctx context.Context, cfg *AssociationConfig, ours, theirs []byte) error {
	answer, err := a.answerChallenge(cfg, ours, theirs)
	if err != nil {
		return err
	}
	parameter := axdr.Data(axdr.AppendOctetString(nil, answer))
	var d axdr.Data
	if a.short {
		d, err = a.replyShort(ctx, parameter)
	} else {
		d, err = a.replyLong(ctx, cfg, parameter)
	}
	if err != nil {
		return err
	}
	reply, ok := d.Octets()
	switch {
	case cfg.DigitSum && (d == nil || d.Tag() == axdr.TagNull):
		return nil // this variant has no proof of the meter
	case d.Tag() == axdr.TagNull:
		return &RejectError{Unproven: true, Err: &ProtocolError{Op: opReply, Msg: "the meter does not accept our answer to its challenge: it answers with null-data"}}
	case !ok:
		return &RejectError{Err: &ProtocolError{Op: opReply, Msg: fmt.Sprintf("the answer is %s, an octet-string was expected", d)}}
	default:
	}
	if !a.verifyChallenge(cfg, ours, theirs, reply) {
		return &RejectError{Unproven: true, Err: &SecurityError{Op: opReply, Err: errors.New("the meter has not proved that it has the secret: its answer to our challenge is wrong")}}
	}
	return nil
}

// reflected reports what of ours the meter gives for its own: with it, it would
// need no secret to answer our challenge (Green Book Ed. 9, clause 9.2.7.4).
func reflected(cfg *AssociationConfig, challenge []byte, x *accepted) error {
	switch {
	case cfg.Mechanism.HighLevel() && bytes.Equal(challenge, x.challenge):
		return &RejectError{Unproven: true, Err: &SecurityError{Op: opAssociate, Err: errors.New("the meter has not proved that it has the secret: its challenge is ours")}}
	case len(x.Title) > 0 && bytes.Equal(cfg.title(), x.Title):
		return &RejectError{Err: &SecurityError{Op: opAssociate, Err: fmt.Errorf("the meter gives our own system title %X for its own: set another system title of ours", x.Title)}}
	default:
		return nil
	}
}

// answerChallenge computes f(StoC).
func (a *Association) answerChallenge(cfg *AssociationConfig, ours, theirs []byte) ([]byte, error) {
	if cfg.Mechanism == acse.HLSGMAC {
		counter, err := a.keys.Counter()
		if err != nil {
			return nil, fmt.Errorf("invocation counter: %w", err)
		}
		return a.keys.context.AppendGMAC(nil, a.keys.Title, counter, theirs), nil
	}
	return a.challenge(cfg, theirs, ours, false).Answer()
}

// verifyChallenge verifies f(CtoS).
func (a *Association) verifyChallenge(cfg *AssociationConfig, ours, theirs, reply []byte) bool {
	if cfg.Mechanism == acse.HLSGMAC {
		return a.keys.context.VerifyGMAC(a.keys.meter, ours, reply)
	}
	return a.challenge(cfg, ours, theirs, true).Verify(reply)
}

// challenge is an answer by a secret or a signature: ours, or the meter's.
func (a *Association) challenge(cfg *AssociationConfig, received, sent []byte, meters bool) security.Challenge {
	c := security.Challenge{
		Mechanism: uint8(cfg.Mechanism), Secret: cfg.Password, DigitSum: cfg.DigitSum,
		Received: received, Sent: sent, Own: cfg.title(), Other: a.params.Title,
	}
	if a.keys != nil {
		c.Other = a.keys.meter
		c.Private, c.Public = a.keys.Public.Signing, a.keys.Public.MeterSigning
	}
	if meters {
		c.Own, c.Other = c.Other, c.Own
	}
	return c
}

// title is our system title, nil if there is none.
func (cfg *AssociationConfig) title() []byte {
	if cfg.Security != nil {
		return cfg.Security.Title
	}
	return cfg.Title
}

// replyLong invokes method 1 of the association object.
func (a *Association) replyLong(ctx context.Context, cfg *AssociationConfig, parameter axdr.Data) (axdr.Data, error) {
	object := cfg.AssociationObject
	if object == (obis.Code{}) {
		object = obis.Code{0, 0, 40, 0, 0, 255}
	}
	q := xdlms.ActionRequest{
		InvokeID: xdlms.InvokeConfirmed | xdlms.InvokeHighPriority | xdlms.InvokeID(a.c.nextInvoke()),
		Class:    cosem.AssociationLN, Instance: object, Method: 1, Parameter: parameter,
	}
	op := operation{name: opReply}
	answer, err := a.transact(ctx, op, &q, expectation{kind: wantAction, invoke: q.InvokeID.ID()}, xdlms.TagActionResponse, false)
	if err != nil {
		return nil, refusedReply(err)
	}
	p, err := xdlms.ParseActionResponse(answer)
	switch {
	case err != nil:
		return nil, &RejectError{Err: &ProtocolError{Op: opReply, Msg: shown(answer), Err: err}}
	case p.Result != 0:
		return nil, &RejectError{Unproven: true, Err: &ProtocolError{Op: opReply, Msg: fmt.Sprintf("the meter does not accept our answer to its challenge: %s (action-result %d)", p.Result, uint8(p.Result))}}
	case (!p.HasReturn || p.Return == nil) && cfg.DigitSum:
		return nil, nil
	case !p.HasReturn || p.Return == nil:
		return nil, &RejectError{Err: &ProtocolError{Op: opReply, Msg: "the meter does not answer our challenge"}}
	default:
		return p.Return, nil
	}
}

// refusedReply tells a meter that refuses pass 3 from one that is not heard.
func refusedReply(err error) error {
	var exception *ExceptionError
	var service *ServiceError
	if errors.As(err, &exception) || errors.As(err, &service) {
		return &RejectError{Err: err}
	}
	return err
}

// replyShort reads method 8 of the association object, which is at FA00h.
func (a *Association) replyShort(ctx context.Context, parameter axdr.Data) (axdr.Data, error) {
	const replyName = 0xFA00 + 0x58
	p, err := a.askVariable(ctx, operation{name: opReply}, xdlms.VariableAccess{Choice: xdlms.ParameterizedAccess, Name: replyName, Parameter: parameter})
	switch {
	case err != nil:
		return nil, refusedReply(err)
	case p.Choice != xdlms.ReadData:
		return nil, &RejectError{Unproven: true, Err: &ProtocolError{Op: opReply, Msg: fmt.Sprintf("the meter does not accept our answer to its challenge: %s", p.Error)}}
	default:
		return p.Data, nil
	}
}
