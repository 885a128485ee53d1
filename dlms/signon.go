package dlms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
)

// Characters are the speed and the format of characters on a line. They have one
// stop bit.
type Characters struct {
	Baud     int
	DataBits int  // 7 or 8
	Even     bool // with an even parity bit; else without
}

// A Line is a Transport whose characters can be set: a serial port.
type Line interface {
	Transport
	// Switch waits until what was written has left, then for the delay, and sets the characters. What comes meanwhile is
	// not dropped.
	Switch(c Characters, delay time.Duration) error
}

// SignOn is how a session with a meter begins that has to be asked to speak HDLC
// first (IEC 62056-21, mode E). The zero value is right for most.
type SignOn struct {
	Address string // of the device: digits, letters and blanks, at most 32; empty: any
	Limit   int    // baud, above which no speed is chosen; 0: what the meter offers
	Fixed   int    // baud of a line that stays at one speed; 0: 300, and then what was chosen
	// SoftwareParity makes characters of 7 bits with parity out of those of 8 bits without, for lines that have no others.
	SoftwareParity bool
	Wakeup         int           // NULs to send before the request, which wake meters with a battery; 0: none
	SwitchDelay    time.Duration // from the end of the acknowledgement to the new speed; 0: at once
	Force          bool          // go on with a meter that does not announce mode E
	// Disconnect is a frame that ends a session which the meter may still be in, and Last the baud of that, 0 if it is not
	// known: tried when a meter does not answer.
	Disconnect []byte
	Last       int
}

// Signed is how a sign-on has ended.
type Signed struct {
	Identification iec62056.Identification
	Baud           int  // from now on
	Confirmed      bool // the meter has confirmed it; some do not, or not so that it could be read
	Recovered      bool // the meter was found in another session, which was ended
}

// A ModeError says that a meter does not go over to HDLC.
type ModeError struct {
	Identification string // what it is; empty if it did not say
	Readout        []byte // how its readout begins; nil: it does not announce mode E
}

func (e *ModeError) Error() string {
	s := "sign-on: the meter"
	if e.Identification != "" {
		s += fmt.Sprintf(" (%q)", e.Identification)
	}
	if e.Readout != nil {
		return s + fmt.Sprintf(" sends an ASCII readout (%q), as in the modes A to D, and no HDLC", e.Readout)
	}
	return s + ` does not announce mode E (\2)`
}

// Times of the protocol (IEC 62056-21, clause 6.3.14 "Reaction times").
const (
	slowReaction  = 200 * time.Millisecond
	fastReaction  = 20 * time.Millisecond
	longReaction  = 1500 * time.Millisecond // after which there is no answer any more, and between two characters
	reactionSpare = 20 * time.Millisecond   // so that clocks may differ
	wakeupPause   = 1700 * time.Millisecond
	endedPause    = 500 * time.Millisecond // for a meter to leave a session
	characterBits = 10

	opSignOn = "sign-on"
)

// signer is a sign-on in progress.
type signer struct {
	SignOn
	t    Line
	baud int    // now
	sent []byte // last
	b    []byte // received, without parity, and not understood yet
	raw  []byte // the first octets received since the last message
	n    int    // how many
	echo bool   // what we send comes back
}

// Run asks the meter to speak HDLC and sets the line to what was agreed. Then a
// Conn with framing HDLC can be made of it. A meter that does not answer is
// looked for in a session of before, once.
//
// The error is a *TimeoutError with Op "sign-on" if there is no identification,
// a *ModeError if the meter speaks another mode, or one of the line.
func (s SignOn) Run(ctx context.Context, t Line) (Signed, error) {
	if err := iec62056.CheckAddress(s.Address); err != nil {
		return Signed{}, fmt.Errorf("sign-on: %w", err)
	}
	end := watch(ctx, t)
	defer end()
	g := &signer{SignOn: s, t: t}
	signed, err := g.attempt(ctx)
	var timeout *TimeoutError
	if errors.As(err, &timeout) && ctx.Err() == nil {
		if e := g.endSession(ctx); e != nil {
			return Signed{}, e
		}
		first := timeout
		signed, err = g.attempt(ctx)
		switch {
		case err == nil:
			signed.Recovered = true
		case errors.As(err, &timeout) && timeout.Received < first.Received:
			err = first // it tells more
		}
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return signed, err
}

// start is the speed of the sign-on.
func (g *signer) start() int {
	if g.Fixed > 0 {
		return g.Fixed
	}
	return iec62056.InitialBaud
}

// text sets characters of 7 bits with parity.
func (g *signer) text(baud int, delay time.Duration) error {
	c := Characters{Baud: baud, DataBits: 7, Even: true}
	if g.SoftwareParity {
		c.DataBits, c.Even = 8, false
	}
	g.baud = baud
	return g.t.Switch(c, delay)
}

// binary sets characters of 8 bits.
func (g *signer) binary(baud int) error {
	g.baud = baud
	return g.t.Switch(Characters{Baud: baud, DataBits: 8}, 0)
}

func (g *signer) attempt(ctx context.Context) (signed Signed, err error) {
	if err := g.text(g.start(), 0); err != nil {
		return signed, err
	}
	if g.Wakeup > 0 {
		if err := g.say(ctx, make([]byte, g.Wakeup)); err != nil {
			return signed, err
		}
		if err := pause(ctx, g.duration(g.Wakeup)+wakeupPause); err != nil {
			return signed, err
		}
	}
	request, err := iec62056.AppendRequest(nil, g.Address)
	if err != nil {
		return signed, err
	}
	if err := g.say(ctx, request); err != nil {
		return signed, err
	}
	id, err := g.identification(ctx)
	if err != nil {
		return signed, err
	}
	signed.Identification = id
	if !id.HDLC() && !g.Force {
		return signed, &ModeError{Identification: id.String()}
	}
	reaction := slowReaction
	if id.Fast() {
		reaction = fastReaction
	}
	if err := pause(ctx, reaction+reactionSpare); err != nil {
		return signed, err
	}
	z := iec62056.ChooseSpeed(id.Baud, g.Limit)
	signed.Baud = iec62056.Speed(z)
	if g.Fixed > 0 {
		z, signed.Baud = iec62056.ChooseSpeed(id.Baud, g.Fixed), g.Fixed
	}
	if err := g.acknowledge(ctx, z, signed.Baud); err != nil {
		return signed, err
	}
	if signed.Confirmed, err = g.confirmation(ctx); err != nil {
		var mode *ModeError
		if errors.As(err, &mode) {
			mode.Identification = id.String()
		}
		return signed, err
	}
	if err := pause(ctx, reaction); err != nil {
		return signed, err
	}
	return signed, g.binary(signed.Baud)
}

// acknowledge chooses a speed, and changes to it as soon as that has left.
func (g *signer) acknowledge(ctx context.Context, z byte, baud int) error {
	began := time.Now()
	if err := g.say(ctx, iec62056.AppendModeE(nil, z)); err != nil {
		return err
	}
	// There are drivers that say too early that all has left.
	delay := g.SwitchDelay
	if left := g.duration(len(g.sent)) + g.duration(1)/4 - time.Since(began); left > 0 {
		if err := pause(ctx, left); err != nil {
			return err
		}
	}
	return g.text(baud, delay)
}

// duration is how long characters take on the line.
func (g *signer) duration(characters int) time.Duration {
	return time.Duration(characters) * characterBits * time.Second / time.Duration(g.baud)
}

// say sends a text.
func (g *signer) say(ctx context.Context, text []byte) error {
	g.b, g.raw, g.n = nil, nil, 0
	g.sent = slices.Clone(text)
	out := slices.Clone(text)
	if g.SoftwareParity {
		iec62056.SetParity(out)
	}
	return g.write(ctx, out)
}

func (g *signer) write(ctx context.Context, b []byte) error {
	if err := g.t.SetWriteDeadline(time.Now().Add(g.duration(len(b)) + longReaction)); err != nil {
		return signError(err)
	}
	if err := ctx.Err(); err != nil { // here, as the end of ctx sets a deadline too
		return err
	}
	if _, err := g.t.Write(b); err != nil {
		return signError(err)
	}
	return nil
}

// hear reads on, until a time.
func (g *signer) hear(ctx context.Context, until time.Time) error {
	if err := g.t.SetReadDeadline(until); err != nil {
		return signError(err)
	}
	var b [64]byte
	n, err := g.t.Read(b[:])
	if n > 0 {
		if room := len(facts{}.head) - len(g.raw); room > 0 {
			g.raw = append(g.raw, b[:min(n, room)]...)
		}
		g.n += n
		iec62056.StripParity(b[:n])
		g.b = append(g.b, b[:n]...)
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSilence
	}
	return signError(err)
}

func signError(err error) error {
	if err == nil {
		err = io.ErrNoProgress
	}
	return fmt.Errorf("sign-on: %w", err)
}

// identification waits for the meter to say who it is.
func (g *signer) identification(ctx context.Context) (id iec62056.Identification, err error) {
	began := time.Now()
	until := began.Add(g.duration(len(g.sent)) + longReaction + g.duration(2))
	most := until.Add(g.duration(2*len(g.sent) + iec62056.MaxAddress + 64))
	for {
		id, rest, err := iec62056.CutIdentification(g.b)
		var readout *iec62056.ReadoutError
		switch {
		case err == nil:
			g.echo = g.n >= len(g.sent) && bytes.HasPrefix(g.stripped(), g.sent[:min(len(g.sent), len(g.raw))])
			return id, nil
		case errors.As(err, &readout):
			return id, &ModeError{Readout: readout.First}
		}
		g.b = append(g.b[:0], rest...)
		err = g.hear(ctx, earlier(until, most))
		if errors.Is(err, errSilence) || err == nil && time.Now().After(most) {
			return id, g.silence(began)
		}
		if err != nil {
			return id, err
		}
		until = time.Now().Add(longReaction)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// stripped are the first octets without parity.
func (g *signer) stripped() []byte {
	b := slices.Clone(g.raw)
	iec62056.StripParity(b)
	return b
}

// silence says what came in place of an identification.
func (g *signer) silence(began time.Time) *TimeoutError {
	e := &TimeoutError{Op: opSignOn, After: time.Since(began), Received: g.n}
	if b := g.stripped(); g.n > 0 {
		e.Echo = g.n == len(g.sent) && bytes.Equal(b, g.sent[:min(len(g.sent), len(b))])
		e.Noise = g.raw
	}
	return e
}

// confirmation waits for the acknowledgement to be repeated at the new speed. It
// may be damaged, or not come at all.
func (g *signer) confirmation(ctx context.Context) (confirmed bool, err error) {
	expected := [][]byte{g.sent}
	if g.echo {
		expected = append(expected, g.sent)
	}
	all := bytes.Join(expected, nil)
	for until := time.Now().Add(longReaction + g.duration(len(g.sent))); ; {
		if bytes.Contains(g.b, all) {
			return true, nil
		}
		if i := bytes.IndexByte(g.b, iec62056.STX); i >= 0 && len(g.b)-i > readoutLeast {
			return false, &ModeError{Readout: slices.Clone(g.b[i:])}
		}
		if len(g.b) > readoutMost {
			return false, nil // it is something else
		}
		switch err := g.hear(ctx, until); {
		case errors.Is(err, errSilence):
			return bytes.Contains(g.b, g.sent), nil
		case err != nil:
			return false, err
		}
	}
}

const (
	readoutLeast = 8  // characters behind STX that make a readout of it
	readoutMost  = 64 // characters that are read in wait for a confirmation
)

// endSession ends a session that the meter may still be in: with DISC at the
// speeds it may have, and with the break.
func (g *signer) endSession(ctx context.Context) error {
	var speeds []int
	for _, baud := range []int{g.Last, g.Fixed, g.Limit, 9600, iec62056.InitialBaud} {
		if baud > 0 && !slices.Contains(speeds, baud) && (g.Fixed == 0 || baud == g.Fixed) {
			speeds = append(speeds, baud)
		}
	}
	for _, baud := range speeds {
		if len(g.Disconnect) > 0 {
			if err := g.binary(baud); err != nil {
				return err
			}
			if err := g.write(ctx, g.Disconnect); err != nil {
				return err
			}
			if err := g.drop(ctx, g.duration(len(g.Disconnect)+hdlcAnswer)+endedPause); err != nil {
				return err
			}
		}
		if baud != g.Last && baud != g.start() {
			continue
		}
		if err := g.text(baud, 0); err != nil {
			return err
		}
		if err := g.say(ctx, iec62056.AppendBreak(nil)); err != nil {
			return err
		}
		if err := g.drop(ctx, g.duration(len(g.sent))+endedPause); err != nil {
			return err
		}
	}
	return nil
}

// hdlcAnswer is the octets of an answer to DISC that is waited for.
const hdlcAnswer = 40

// drop reads for a while what nobody wants.
func (g *signer) drop(ctx context.Context, d time.Duration) error {
	for until := time.Now().Add(d); ; {
		switch err := g.hear(ctx, until); {
		case errors.Is(err, errSilence):
			return ctx.Err()
		case err != nil:
			return err
		case time.Now().After(until):
			return ctx.Err()
		}
		g.b, g.raw, g.n = nil, nil, 0
	}
}

// DisconnectFrame is the DISC frame for a meter at the addresses of cfg, for
// SignOn.Disconnect.
func DisconnectFrame(cfg ConnConfig) ([]byte, error) {
	cfg.Framing = HDLC
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h, err := newHDLCLink(&Conn{cfg: cfg})
	if err != nil {
		return nil, err
	}
	return hdlc.Frame{Destination: h.server, Source: h.client, Control: hdlc.Unnumbered(hdlc.DISC, true)}.Append(nil)
}
