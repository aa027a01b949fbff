// Package libopenapi takes the place of a parser of OpenAPI documents, which is a quarter of the engine's time of
// compilation. The engine uses it for `pulumi cloud` only: commands about Pulumi Cloud's own API. No document can be
// read here; the types are those that the engine names.
package libopenapi

import (
	"errors"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Document is never made.
type Document struct{}

// DocumentModel is never made.
type DocumentModel struct{ Model v3.Document }

// NewDocument fails.
func NewDocument([]byte) (*Document, error) {
	return nil, errors.New("this engine was built without a parser of OpenAPI; the official Pulumi CLI has one")
}

// BuildV3Model is never called.
func (*Document) BuildV3Model() (*DocumentModel, error) { return nil, errors.New("no document") }
