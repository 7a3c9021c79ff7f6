namespace LlmPipeline;

/// <summary>
/// Standard input, when a run is given <c>-</c>: it is written to a file that only its user may read, as an input is read several times, and
/// removed at the end.
/// </summary>
internal sealed class StandardInput : IAsyncDisposable
{
    /// <summary>What stands for standard input and output.</summary>
    public const string Name = "-";

    private readonly string? _path;

    private StandardInput(RunOptions options, string? path) => (Options, _path) = (options, path);

    /// <summary>The options, with the file in the place of <see cref="Name"/>.</summary>
    public RunOptions Options { get; }

    /// <summary>Reads standard input to its end, if it is asked for.</summary>
    /// <exception cref="CliException">There is no output, it is asked for twice, or there is nowhere to write it.</exception>
    public static async Task<StandardInput> SpoolAsync(RunOptions options, CancellationToken cancellationToken)
    {
        var count = options.Inputs.Count(input => input == Name);
        if (count == 0)
            return new StandardInput(options, null);
        if (count > 1)
            throw CliException.Usage("- is standard input, which can be read once");
        if (options.Output is null && !options.Check)
            throw CliException.Usage("- is standard input: -o must name the output (-o - prints the answers)");
        var path = Path.Join(Folder(), $"stdin-{Guid.NewGuid():N}");
        try
        {
            await using var file = PrivateFiles.Open(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Options = FileOptions.Asynchronous });
            await using var input = Console.OpenStandardInput();
            await input.CopyToAsync(file, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            File.Delete(path);
            if (e is IOException or UnauthorizedAccessException)
                throw CliException.Broke($"standard input cannot be kept in {path}: {e.Message}");
            throw;
        }

        return new StandardInput(options with { Inputs = [.. options.Inputs.Select(input => input == Name ? path : input)], StandardInputPath = path }, path);
    }

    /// <summary>The folder of the program's temporary files, which only its user may read.</summary>
    public static string Folder()
    {
        var folder = Path.Join(Path.GetTempPath(), $"llmpipe-{Environment.UserName}");
        try
        {
            PrivateFiles.OwnFolder(folder);
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CliException.Broke($"{folder}, the folder of temporary files, cannot be used: {e.Message}");
        }
    }

    /// <summary>Removes the file.</summary>
    public ValueTask DisposeAsync()
    {
        if (_path is not null)
            File.Delete(_path);
        return ValueTask.CompletedTask;
    }
}
