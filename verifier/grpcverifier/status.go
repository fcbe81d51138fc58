package grpcverifier

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lanyard-go/lanyard/verifier"
)

// Domain is the domain of the ErrorInfo that refusals carry. Its reason is the
// word of RFC 6750 and RFC 9470 for the same refusal over HTTP, and its metadata
// have scope, acr_values and max_age as far as the method demands them.
const Domain = "lanyard"

// statusOf turns a refusal into a status, with nothing of the cause in it:
// UNAUTHENTICATED where a better token would do, PERMISSION_DENIED for a scope
// that is missing, UNAVAILABLE where nobody can tell.
func statusOf(err error) error {
	refused, ok := errors.AsType[*verifier.Refused](err)
	if !ok {
		return status.Error(codes.Internal, "Something went wrong.")
	}
	httpStatus, word, message := refused.Public()
	code := codes.Unauthenticated
	switch httpStatus {
	case http.StatusForbidden:
		code = codes.PermissionDenied
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	details := []protoadapt.MessageV1{protoadapt.MessageV1Of(&errdetails.ErrorInfo{Reason: word, Domain: Domain, Metadata: demands(refused)})}
	if refused.RetryAfter > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(refused.RetryAfter)}))
	}
	s := status.New(code, message)
	if full, err := s.WithDetails(details...); err == nil {
		s = full
	}
	return s.Err()
}

// demands are the parameters of the challenge.
func demands(e *verifier.Refused) map[string]string {
	m := make(map[string]string)
	switch e.Cause {
	case verifier.CauseScope:
		m["scope"] = e.Need.Scope
	case verifier.CauseStale, verifier.CauseWeak:
		if len(e.Need.Classes) > 0 {
			m["acr_values"] = strings.Join(e.Need.Classes, " ")
		}
		if e.Need.MaxAge != 0 {
			m["max_age"] = strconv.Itoa(max(0, int(e.Need.MaxAge/time.Second)))
		}
	}
	return m
}
