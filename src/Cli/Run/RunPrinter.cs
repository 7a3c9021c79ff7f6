namespace LlmPipeline;

/// <summary>Prints a finished output on standard output (<c>-o -</c>): the lines of all rows in their order, whether answers or errors.</summary>
internal static class RunPrinter
{
    /// <param name="paths">The files, which are finished; they are removed then, since nobody named them.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CliException">Whoever reads standard output has gone; the files stay.</exception>
    public static async Task PrintAsync(OutputPaths paths, CancellationToken cancellationToken)
    {
        try
        {
            await WriteAsync(paths, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e) when (e is not OutputException)
        {
            throw CliException.Broke($"standard output cannot be written ({e.Message}); the answers are in {paths.Results}");
        }

        File.Delete(paths.Results);
        File.Delete(paths.Errors);
    }

    private static async Task WriteAsync(OutputPaths paths, CancellationToken cancellationToken)
    {
        await using var stream = Console.OpenStandardOutput();
        using var results = new OutputLines(paths.Results);
        using var errors = new OutputLines(paths.Errors);
        while (results.Row is not null || errors.Row is not null)
        {
            var next = (errors.Row ?? int.MaxValue) < (results.Row ?? int.MaxValue) ? errors : results;
            await stream.WriteAsync(next.Line, cancellationToken).ConfigureAwait(false);
            await stream.WriteAsync("\n"u8.ToArray(), cancellationToken).ConfigureAwait(false);
            next.MoveNext();
        }

        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
