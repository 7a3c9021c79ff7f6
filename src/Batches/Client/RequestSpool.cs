using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace LlmPipeline;

/// <summary>
/// The rows of a batch in a temporary file, which only its user may read and which goes with this: their number, their models and the
/// hash of their content are known before the first one is enqueued, however many there are.
/// </summary>
internal sealed class RequestSpool : IAsyncDisposable
{
    private const int BufferBytes = 64 * 1024;

    private readonly FileStream _file;

    private RequestSpool(FileStream file) => _file = file;

    /// <summary>How many rows there are.</summary>
    public int Rows { get; private set; }

    /// <summary>Their models, each once.</summary>
    public IReadOnlyCollection<string> Models { get; private set; } = [];

    /// <summary>SHA-256 of their content, lower-case hex.</summary>
    public string Hash { get; private set; } = "";

    /// <summary>Reads all requests.</summary>
    /// <exception cref="ArgumentException">One names no model that can be; nothing is submitted.</exception>
    public static async Task<RequestSpool> FillAsync(IAsyncEnumerable<BatchItem> requests, CancellationToken cancellationToken)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            BufferSize = BufferBytes,
            Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var spool = new RequestSpool(new FileStream(Path.Join(Path.GetTempPath(), $"llmpipe-{Guid.NewGuid():N}.rows"), options));
        try
        {
            await spool.WriteAsync(requests, cancellationToken).ConfigureAwait(false);
            return spool;
        }
        catch
        {
            await spool.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The requests again, in their order. For one reader, once.</summary>
    public async IAsyncEnumerable<BatchItem> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        _file.Position = 0;
        var length = new byte[sizeof(int)];
        for (var row = 0; row < Rows; row++)
        {
            await _file.ReadExactlyAsync(length, cancellationToken).ConfigureAwait(false);
            var record = new byte[BitConverter.ToInt32(length)];
            await _file.ReadExactlyAsync(record, cancellationToken).ConfigureAwait(false);
            yield return Unpack(record);
        }
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();

    private async Task WriteAsync(IAsyncEnumerable<BatchItem> requests, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var models = new HashSet<string>(StringComparer.Ordinal);
        using var record = new MemoryStream();
        await foreach (var request in requests.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            Rows = checked(Rows + 1);
            if (models.Add(request.Model) && Names.ModelFault(request.Model) is { } fault)
                throw new ArgumentException($"Row {Rows}: the model {fault}.", nameof(requests));
            record.SetLength(0);
            // Its length leads it, so that no two batches read the same.
            record.Position = sizeof(int);
            Pack(request, record);
            var bytes = record.GetBuffer().AsMemory(0, (int)record.Length);
            BitConverter.TryWriteBytes(bytes.Span, bytes.Length - sizeof(int));
            hash.AppendData(bytes.Span);
            await _file.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        }

        await _file.FlushAsync(cancellationToken).ConfigureAwait(false);
        (Models, Hash) = (models, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static void Pack(BatchItem request, Stream record)
    {
        using var writer = new BinaryWriter(record, System.Text.Encoding.UTF8, leaveOpen: true);
        writer.Write(request.Model);
        Write(request.CustomId);
        writer.Write(request.Work is PromptWork);
        switch (request.Work)
        {
            case RequestWork work:
                writer.Write(work.Path);
                writer.Write(work.Body.Length);
                writer.Write(work.Body.Span);
                break;
            case PromptWork work:
                writer.Write(work.Function);
                writer.Write(work.Sha);
                Write(work.System);
                WriteAll(work.Variables, value => value);
                WriteAll(work.Settings ?? new Dictionary<string, JsonElement>(), value => value.GetRawText());
                break;
            default:
                throw new ArgumentException($"{request.Work.GetType().Name} is no work of a batch.", nameof(request));
        }

        void Write(string? text)
        {
            writer.Write(text is not null);
            if (text is not null)
                writer.Write(text);
        }

        void WriteAll<T>(IReadOnlyDictionary<string, T> values, Func<T, string> textOf)
        {
            writer.Write(values.Count);
            foreach (var (name, value) in values.OrderBy(one => one.Key, StringComparer.Ordinal))
            {
                writer.Write(name);
                writer.Write(textOf(value));
            }
        }
    }

    private static BatchItem Unpack(byte[] record)
    {
        using var reader = new BinaryReader(new MemoryStream(record));
        var (model, customId) = (reader.ReadString(), ReadText());
        if (!reader.ReadBoolean())
        {
            var path = reader.ReadString();
            var length = reader.ReadInt32();
            return new BatchItem(model, new RequestWork { Path = path, Body = record.AsMemory(record.Length - length) }, customId);
        }

        var work = new PromptWork
        {
            Function = reader.ReadString(),
            Sha = reader.ReadString(),
            System = ReadText(),
            Variables = ReadAll(text => text),
        };
        var settings = ReadAll(text => JsonElement.Parse(text));
        return new BatchItem(model, work with { Settings = settings.Count > 0 ? settings : null }, customId);

        string? ReadText() => reader.ReadBoolean() ? reader.ReadString() : null;

        Dictionary<string, T> ReadAll<T>(Func<string, T> valueOf)
        {
            var values = new Dictionary<string, T>(StringComparer.Ordinal);
            for (var left = reader.ReadInt32(); left > 0; left--)
                values[reader.ReadString()] = valueOf(reader.ReadString());
            return values;
        }
    }
}
