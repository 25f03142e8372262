"""Scenes of digits that jaxgen makes: pictures, true sentences and features."""
