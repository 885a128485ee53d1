package dlms_cosem

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
)

// releaseTime is what ending an association may take: it is a courtesy.
const releaseTime = time.Second

// outcome is what a run has brought.
type outcome struct {
	at       time.Time // of the metrics: when the first read request was sent
	duration time.Duration
	result   result
	err      error // why the run failed, or ended early
	stats    dlms.Stats

	readings []reading // one per item; nil if it did not come so far
	ok       int       // items that gave a value
	failed   int       // items that did not

	associated   bool
	openTook     time.Duration     // until the association was there; 0: not known
	loginRefused bool              //
	password     [sha256.Size]byte // print of the password used
	canceled     bool              // we ended it ourselves
	complete     bool              // to repeat it would bring nothing more
}

// unreachable reports whether the device is to be left alone for a while.
func (o *outcome) unreachable() bool {
	if o.err == nil || o.ok > 0 {
		return false
	}
	var password *passwordError
	return !errors.As(o.err, &password)
}

// run reads the items of a request from one device. short limits the time to
// open the association; 0 is no limit of its own.
func (l *link) run(ctx context.Context, r *request, st *station, short time.Duration) *outcome {
	return (&session{l: l, r: r, st: st}).outcome(ctx, short)
}

// outcome waits for its turn to connect, runs the session and judges it.
func (s *session) outcome(ctx context.Context, short time.Duration) *outcome {
	o := &outcome{at: time.Now()}
	s.o = o
	free, err := s.l.d.slot(ctx)
	if err == nil {
		began := time.Now()
		o.at = began
		err = s.run(ctx, short, free)
		o.duration = time.Since(began)
	}
	o.canceled = err != nil && ctx.Err() != nil
	s.conclude(err)
	return o
}

// slot waits until another connection may be opened. Many at once would be a
// storm for the network; those that take long do not hold up the others.
func (d *DLMS) slot(ctx context.Context) (free func(), err error) {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := func() { <-d.slots }
	t := time.AfterFunc(dialSlot, release)
	return func() {
		if t.Stop() {
			release()
		}
	}, nil
}

// run keeps to the request's timeout.
func (s *session) run(ctx context.Context, short time.Duration, connected func()) error {
	limited, cancel := context.WithTimeout(ctx, s.r.timeout)
	defer cancel()
	began := time.Now()
	err := s.exchange(limited, short, connected)
	// The deadline of a connection may pass a moment before the timer of the context that set it.
	if err != nil && ctx.Err() == nil && (limited.Err() != nil || time.Since(began) >= s.r.timeout) {
		err = &budgetError{limit: s.r.timeout.String(), stats: s.o.stats, err: err}
	}
	return err
}

// exchange connects, associates, reads and releases.
func (s *session) exchange(ctx context.Context, short time.Duration, connected func()) error {
	login, password, err := s.r.login()
	s.o.password = password
	if err != nil {
		connected()
		return err
	}
	began := time.Now()
	err = s.open(ctx, short, login, connected)
	if err != nil {
		return err
	}
	s.o.associated = true
	if s.conn.Stats().Retries == 0 { // else it tells what our timeouts are, not how slow the meter is
		s.o.openTook = time.Since(began)
	}
	s.o.at = time.Now()
	err = s.read(ctx)
	releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	if e := s.as.Release(releasing); e != nil {
		s.l.d.Log.Debugf("%s: Release of the association: %v", s.r.where(s.st.device), e)
		s.close(e)
	} else {
		s.close(err)
	}
	return err
}

// open has the association opened, over the connection of the device before if
// there is one. If that one has died meanwhile, a new one is tried, once.
func (s *session) open(ctx context.Context, short time.Duration, login dlms.AssociationConfig, connected func()) error {
	if short > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, short)
		defer cancel()
	}
	for {
		t, reused, err := s.connect(ctx)
		connected()
		connected = func() {}
		if err != nil {
			return err
		}
		s.t = t
		cfg := s.r.connConfig(s.st.device)
		if short > 0 && s.st.health.bare() {
			cfg.MaxInfo = bareInfo
		}
		s.conn, err = dlms.NewConn(t, cfg)
		if err != nil {
			_ = t.Close()
			return err
		}
		if s.as, err = s.conn.Associate(ctx, login); err == nil {
			return nil
		}
		s.o.loginRefused = refusedLogin(err)
		s.close(err)
		if !reused || !connectionLost(err) || ctx.Err() != nil {
			return err
		}
		s.l.hangUp()
	}
}

// connect returns the connection that was kept, or a new one.
func (s *session) connect(ctx context.Context) (t dlms.Transport, reused bool, err error) {
	l := s.l
	if l.held != nil && l.heldFraming == s.r.framing {
		t, l.held = l.held, nil
		return t, true, nil
	}
	l.hangUp()
	ctx, cancel := context.WithTimeout(ctx, s.r.connectTimeout)
	defer cancel()
	t, err = l.d.Dial(ctx, l.endpoint.String())
	if err != nil {
		return nil, false, &connectError{endpoint: l.endpoint.address, err: err}
	}
	return t, false, nil
}

// close ends the connection, or keeps it for the next device on the line: HDLC
// has addresses for several. After trouble a new one is the safer way.
func (s *session) close(err error) {
	s.o.stats = add(s.o.stats, s.conn.Stats())
	var reject *dlms.RejectError
	var disconnected *dlms.DisconnectedError
	fine := err == nil || errors.As(err, &reject) && reject.Err == nil || errors.As(err, &disconnected)
	if fine && s.r.framing == dlms.HDLC {
		s.l.held, s.l.heldFraming = s.t, s.r.framing
		return
	}
	_ = s.conn.Close()
}

func add(a, b dlms.Stats) dlms.Stats {
	a.RoundTrips += b.RoundTrips
	a.Retries += b.Retries
	a.FrameErrors += b.FrameErrors
	a.Dropped += b.Dropped
	a.TxBytes += b.TxBytes
	a.RxBytes += b.RxBytes
	return a
}
