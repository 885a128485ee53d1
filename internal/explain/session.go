package explain

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// session is what is known of the dialog between a client and a server.
type session struct {
	clientTitle, serverTitle []byte
	dedicated                *security.Context // with the key of this association; nil: none
	dedicatedKey             []byte

	gets   map[uint8]*pendingGet // requests, by their invoke id
	read   *pendingRead
	secret bool // the answer to come is that of high level authentication

	blocks  map[direction]*blocks
	units   map[obis.Code]cosem.ScalerUnit // that were read
	columns map[obis.Code][]cosem.CaptureObject
}

// pendingGet is a get-request that was seen, and the blocks of its answer.
type pendingGet struct {
	kind       xdlms.GetType
	attributes []cosem.Attribute
	raw        gather
	block      uint32 // number of the last one; 0: none
	lost       bool
}

// pendingRead is a read-request that was seen, and the blocks of its answer.
type pendingRead struct {
	names []uint16
	raw   gather
	block uint16
}

// mostKnown bounds what is kept about a session.
const mostKnown = 10_000

func newSession() *session {
	return &session{
		gets: map[uint8]*pendingGet{}, blocks: map[direction]*blocks{},
		units: map[obis.Code]cosem.ScalerUnit{}, columns: map[obis.Code][]cosem.CaptureObject{},
	}
}

// blocksFrom is what joins the blocks from a station.
func (s *session) blocksFrom(d direction) *blocks {
	j := s.blocks[d]
	if j == nil {
		j = &blocks{Blocks: xdlms.Blocks{Max: maxAPDU}}
		s.blocks[d] = j
	}
	return j
}
