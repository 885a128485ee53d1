package dlms

import (
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// SNRMForm is whether an SNRM carries parameters (clause 8.4.5.3.2): there are
// meters that do not answer one without, and others that do not answer one with.
type SNRMForm uint8

// The forms.
const (
	SNRMAuto       SNRMForm = 0 // with, if what we propose is not the default; on silence or DM the other form
	SNRMPlain      SNRMForm = 1 // without
	SNRMParameters SNRMForm = 2 // with
)

// Learned is what a Conn has found out about its meter. A later Conn to the same
// meter may begin with it. Limits should be forgotten from time to time: a line
// that was noisy may be quiet again. Values of 0 are not known.
type Learned struct {
	MaxInfo int      `json:"max_info,omitempty"` // octets of an HDLC information field that get through, where longer ones arrived damaged
	SNRM    SNRMForm `json:"snrm,omitempty"`     // the form that was answered, where the first one tried was not
	ListMax int      `json:"list_max,omitempty"` // attributes in a list that is answered as such, where more were not; 1: no lists

	// Silences counts lists in a row after which an HDLC meter fell silent altogether, the last of SilentList attributes.
	// From the second on lists are kept shorter; what that leads to shows whether it was them.
	Silences   int `json:"silences,omitempty"`
	SilentList int `json:"silent_list,omitempty"`
}

// Learned returns what is known now; at any time, also after errors.
func (c *Conn) Learned() Learned {
	if h := c.hdlc; h != nil {
		if h.info < c.cfg.MaxInfo {
			c.learned.MaxInfo = h.info
		}
		if h.second {
			c.learned.SNRM = h.works
		}
	}
	return c.learned
}

// recall begins with what is known.
func (h *hdlcLink) recall(l Learned) {
	if l.MaxInfo >= hdlc.MinInfo && l.MaxInfo < h.info {
		h.propose(l.MaxInfo)
	}
	h.works = l.SNRM
	if h.c.cfg.SNRM != SNRMAuto {
		h.works = h.c.cfg.SNRM
	}
}

// lesson is what a list that was not answered as one says about lists.
type lesson uint8

const (
	lessonNone        lesson = iota
	lessonShorter            // the meter answered, but not to all of it
	lessonSilence            // the meter said nothing
	lessonUnsupported        // the meter has no lists
)

// teaches tells what an error of a list says. Noise says nothing about lists.
func teaches(err error) lesson {
	var (
		timeout   *TimeoutError
		exception *ExceptionError
		service   *ServiceError
		shape     *listShapeError
	)
	switch {
	case errors.As(err, &exception) && exception.Response.Service == xdlms.ServiceNotSupported:
		return lessonUnsupported
	case errors.As(err, &exception), errors.As(err, &service), errors.As(err, &shape):
		return lessonShorter
	case errors.As(err, &timeout) && timeout.FrameErrors == 0:
		return lessonSilence
	default:
		return lessonNone
	}
}

// listShapeError is an answer to fewer attributes than were asked for.
type listShapeError struct{ msg string }

func (e *listShapeError) Error() string { return e.msg }

// learnList takes the lesson of a list of n attributes, which were answered
// singly after it.
func (c *Conn) learnList(l lesson, n int) {
	switch l {
	case lessonUnsupported:
		c.learned.ListMax = 1
	case lessonShorter:
		c.learned.ListMax = max(1, n/2)
	case lessonSilence:
		c.learned.ListMax = max(1, n/4)
	default:
	}
}

// listLimit is how many attributes a list may have by what is known and
// configured; 0: any number.
func (c *Conn) listLimit() int {
	limit := 0
	less := func(n int) {
		if n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	less(c.cfg.ListMax)
	less(c.learned.ListMax)
	if c.learned.Silences >= listTrials {
		less(max(1, c.learned.SilentList/4))
	}
	return limit
}

// listSilenced notes that the meter fell silent over a list of n attributes, 1:
// over a single one, and answers nothing any more.
func (c *Conn) listSilenced(n int) {
	if n < 2 { // it is not the lists
		c.learned.Silences, c.learned.SilentList = 0, 0
		return
	}
	c.learned.Silences++
	c.learned.SilentList = n
}

// listAnswered notes that something was answered: had lists been kept short to
// find out, they were the reason.
func (c *Conn) listAnswered() {
	if c.learned.Silences >= listTrials {
		c.learned.ListMax = c.listLimit()
	}
	c.learned.Silences, c.learned.SilentList = 0, 0
}

// tooDeep returns an error for data that is nested deeper than is allowed here.
// The codec's own limit, 32, has been kept to.
func (c *Conn) tooDeep(op operation, d axdr.Data) error {
	if limit := c.cfg.MaxDepth; limit < axdr.MaxDepth && d.Depth() > limit {
		return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("arrays and structures nested more than %d deep", limit)}
	}
	return nil
}
