package xdlms

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzInitiateRequest(f *testing.F) {
	for _, c := range initiateRequests {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseInitiateRequest(b)
		if err != nil {
			return
		}
		_ = q.Conformance.String()
		again, err := ParseInitiateRequest(q.Append(nil))
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}

func FuzzInitiateResponse(f *testing.F) {
	for _, c := range initiateResponses {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseInitiateResponse(b)
		if err != nil {
			return
		}
		again, err := ParseInitiateResponse(p.Append(nil))
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}

func FuzzGetRequest(f *testing.F) {
	for _, c := range getRequests {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseGetRequest(b)
		if err != nil {
			return
		}
		out, err := q.Append(nil)
		require.NoError(t, err)
		again, err := ParseGetRequest(out)
		require.NoError(t, err)
		require.Equal(t, q, again)
		require.NoError(t, again.Parse(b))
		require.Equal(t, len(q.Attributes), len(again.Attributes))
	})
}

func FuzzGetResponse(f *testing.F) {
	for _, c := range getResponses {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseGetResponse(b)
		if err != nil {
			return
		}
		out, err := p.Append(nil)
		require.NoError(t, err)
		again, err := ParseGetResponse(out)
		require.NoError(t, err)
		require.Equal(t, p, again)

		var list []byte
		rest := p.List
		for range p.Count {
			d, res, after, err := CutGetResult(rest)
			if err != nil {
				return
			}
			require.Equal(t, res == Success, d != nil)
			require.Less(t, len(after), len(rest))
			list, rest = AppendGetResult(list, d, res), after
		}
		for len(list) > 0 {
			_, _, list, err = CutGetResult(list)
			require.NoError(t, err)
		}
	})
}

func FuzzException(f *testing.F) {
	for _, c := range exceptions {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseExceptionResponse(b)
		if err != nil {
			return
		}
		require.NotEmpty(t, e.String())
		require.Equal(t, b, e.Append(nil))
	})
}

func FuzzConfirmedServiceError(f *testing.F) {
	for _, c := range serviceErrors {
		f.Add(octets(f, c.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseConfirmedServiceError(b)
		if err != nil {
			return
		}
		require.NotEmpty(t, e.String())
		require.Equal(t, b, e.Append(nil))
	})
}
