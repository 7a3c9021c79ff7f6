using System.Text;

namespace LlmPipeline;

/// <summary>
/// Standard output or standard error that may not be writable: the disk is full, the terminal is gone. For standard output that is an
/// error in one line. For standard error there is no other place to report it: the text is dropped, and the work goes on.
/// </summary>
internal sealed class GuardedWriter : TextWriter
{
    private readonly TextWriter _inner;
    private readonly bool _isOutput;

    private GuardedWriter(TextWriter inner, bool isOutput) => (_inner, _isOutput) = (inner, isOutput);

    public override Encoding Encoding => _inner.Encoding;

    /// <summary>Guards both of this process.</summary>
    public static void Install()
    {
        Console.SetOut(new GuardedWriter(Console.Out, isOutput: true));
        Console.SetError(new GuardedWriter(Console.Error, isOutput: false));
    }

    public override void Write(char value) => Try(() => _inner.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => _inner.Write(buffer, index, count));

    public override void Write(string? value) => Try(() => _inner.Write(value));

    // In one piece, so that lines of several threads and processes do not mix.
    public override void WriteLine(string? value) => Try(() => _inner.WriteLine(value));

    public override void Flush() => Try(_inner.Flush);

    private void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException e) when (_isOutput)
        {
            throw CliException.Broke($"standard output cannot be written: {e.Message}");
        }
        catch (IOException)
        {
            // There is no other place to say it.
        }
    }
}
