"""Words every part of Treadle speaks: ids, instants, errors, settings, paging, digests."""
