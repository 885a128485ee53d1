package dlms_cosem

import (
	"context"
	"errors"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// compactLimit is how many octets the row of an object of class 62 may have.
const compactLimit = 64 << 10

// compactData reads an object of class 62, which holds one row: it is new if its
// time is.
func (s *session) compactData(ctx context.Context, t *target) error {
	h := s.st.history
	at := cosem.Attribute{Class: cosem.CompactData, Instance: h.p.obis, ID: 2}
	var row axdr.Data
	err := s.budget(ctx, func(ctx context.Context) error {
		d, err := s.as.Get(ctx, at, nil)
		if err != nil {
			return err
		}
		s.answers++
		row, err = s.compactRow(d)
		return err
	})
	if err != nil {
		return err
	}
	if row == nil {
		return nil // nothing was captured yet
	}
	x := s.profileReader(h)
	h.beginRows()
	r, err := x.row(row)
	if err != nil {
		s.holdBack(err)
		return nil
	}
	k := &handover{s: s, h: h, t: t, tags: deviceTags(s.r, s.st.device)}
	k.sift = &history.Sift[[]profileValue]{Order: history.OldestFirst, Pass: k.pass}
	k.sift.Begin(t.pos)
	k.sift.Row(r)
	k.sift.End()
	s.o.rows += k.n
	k.finish(ctx, k.sift.Position(time.Time{}))
	return k.err
}

// compactRow expands a compact_buffer by the template of the object.
func (s *session) compactRow(d axdr.Data) (axdr.Data, error) {
	if len(s.template) == 0 {
		return nil, errors.New("compact data: its template_description (attribute 5) was not read, without it the buffer is not understood")
	}
	template, err := cosem.ParseTemplateDescription(s.template)
	if err != nil {
		return nil, err
	}
	id := cosem.AnyTemplate
	if len(s.templateID) > 0 {
		if id, err = cosem.ParseTemplateID(s.templateID); err != nil {
			return nil, err
		}
	}
	return cosem.AppendCompactBuffer(nil, d, template, id, compactLimit)
}
