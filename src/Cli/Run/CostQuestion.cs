namespace LlmPipeline;

/// <summary>Asks before a run that costs more than the setting AskAbove, while nothing is paid.</summary>
internal static class CostQuestion
{
    /// <param name="estimate">What the run will cost; null where no price is known.</param>
    /// <param name="askAbove">The setting; null for never asking.</param>
    /// <param name="isAnswered">Whether <c>--yes</c> was given.</param>
    /// <exception cref="CliException">The answer is no, or there is no terminal to ask on.</exception>
    public static void Ask(RunEstimate? estimate, decimal? askAbove, bool isAnswered)
    {
        if (isAnswered || askAbove is not { } limit || estimate?.Nanos is not { } nanos || nanos <= limit * 1_000_000_000m)
            return;
        var cost = $"this run costs about {Money.About(nanos)}, more than {Money.Text(limit)} (the setting AskAbove)";
        if (Console.IsInputRedirected || Console.IsErrorRedirected)
            throw CliException.Usage($"{cost}; --yes runs it");
        Console.Error.Write($"{cost}. Run it? [y/N] ");
        if (Console.ReadLine()?.Trim().ToUpperInvariant() is not ("Y" or "YES"))
            throw CliException.Usage("not run, nothing was sent");
    }
}
