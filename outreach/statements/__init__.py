"""Statements: benefit rules, yearly bills, frozen documents, locator links and who may read them."""
