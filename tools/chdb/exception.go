package main

import (
	"regexp"
	"strconv"
)

// An exception is an error of the engine.
type exception struct {
	code int // as in ClickHouse's ErrorCodes
	text string
}

func (e *exception) Error() string { return e.text }

// unknownException is the code of an error that has none (UNKNOWN_EXCEPTION).
const unknownException = 1002

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\.`)

// parseException makes an exception of the engine's text, which begins with the
// code as a rule.
func parseException(text string) *exception {
	if found := exceptionCode.FindStringSubmatch(text); found != nil {
		if code, err := strconv.Atoi(found[1]); err == nil {
			return &exception{code, text}
		}
	}
	return &exception{unknownException, "Code: " + strconv.Itoa(unknownException) + ". DB::Exception: " + text}
}
