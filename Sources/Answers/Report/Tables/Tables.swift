import Analysis

/// Every flat table of a report.
enum Tables {
    /// The keys of those that the JSON has, in its order, as docs/json-output.md lists them.
    static var documentation: [String] {
        foreignRates.documentation + workingSetCourse.documentation + footprint.documentation + redirty.documentation
            + granularity.documentation + phases.documentation + sharingPairs.documentation
            + sharedPages.documentation + orders.documentation + hottest.documentation + hotLists.documentation
            + rounds.documentation + leastBandwidth.documentation + leastDowntime.documentation
            + postCopy.documentation + blockingRanges.documentation + blockingVCPUs.documentation
            + checkpoints.documentation + ringWhatIf.documentation + statistics.documentation + losses.documentation
            + oracles.documentation + migrationAttempts.documentation + migrationPasses.documentation
            + migrationPredictions.documentation
    }

    /// The same of `dirtyrec snapshots`.
    static var snapshotDocumentation: [String] {
        snapshotSizes.documentation + snapshotChains.documentation + stability.documentation + forks.documentation
            + contents.documentation
    }
}
